import { checkNumber, invalid } from '../check.js'

/** How far a total moves with one input. */
export interface SensitivityRow<Input extends string = string> {
  readonly input: Input
  /** The total at the low and at the high end of the input's range, all others at their base. */
  readonly atLow: number
  readonly atHigh: number
  /** Highest minus lowest of the two and the base. */
  readonly swing: number
}

export interface Sensitivity<Input extends string = string> {
  /** With every input at its base. */
  readonly total: number
  /** The input that moves the total most first. */
  readonly rows: readonly SensitivityRow<Input>[]
}

export interface SensitivityOptions<Inputs extends Readonly<Record<string, number>>> {
  readonly base: Inputs
  /** The ends of each input's range; inputs without one stay at their base. */
  readonly ranges: { readonly [Input in keyof Inputs]?: readonly [low: number, high: number] }
  readonly total: (inputs: Inputs) => number
}

/**
 * Which input moves a total most: one at a time over its range, the others at their base (a tornado table).
 *
 * It says nothing about inputs that move together: utilisation and tokens per second do, with the batch size.
 *
 * @throws `ERR_BIO_VALUE` for a range that does not hold its base or of an input that is none, or a total that is not finite; what
 * `total` throws.
 *
 * @example
 * ```ts
 * import { sensitivity } from '@bio/energy'
 *
 * const { total, rows } = sensitivity({
 *   base: { dollarsPerHour: 2, tokensPerSecond: 2000, utilisation: 0.5 },
 *   ranges: { dollarsPerHour: [1.5, 3], utilisation: [0.2, 1] },
 *   total: ({ dollarsPerHour, tokensPerSecond, utilisation }) => (dollarsPerHour / (tokensPerSecond * 3600 * utilisation)) * 1e6,
 * })
 * console.log(total.toFixed(2), rows.map(({ input, swing }) => `${input} ${swing.toFixed(2)}`)) // => 0.56 [ 'utilisation 1.11', 'dollarsPerHour 0.42' ]
 * ```
 */
export function sensitivity<Inputs extends Readonly<Record<string, number>>>(
  options: SensitivityOptions<Inputs>,
): Sensitivity<keyof Inputs & string> {
  const { base, ranges } = options
  const at = (inputs: Inputs): number => {
    const total = options.total(inputs)
    checkNumber('sensitivity', 'the total', total)
    return total
  }
  const total = at(base)
  const rows = Object.entries(ranges).flatMap(([input, range]) => {
    if (range === undefined) return []
    const [low, high] = range
    const value = base[input]
    if (value === undefined || !(low <= value && value <= high)) {
      throw invalid('sensitivity', `a range of ${input} that holds its base`, `${value} in [${low}, ${high}]`)
    }
    const atLow = at({ ...base, [input]: low })
    const atHigh = at({ ...base, [input]: high })
    const swing = Math.max(total, atLow, atHigh) - Math.min(total, atLow, atHigh)
    return [{ input, atLow, atHigh, swing }]
  })
  return { total, rows: rows.toSorted((a, b) => b.swing - a.swing) }
}
