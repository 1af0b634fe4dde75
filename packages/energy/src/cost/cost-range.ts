import { checkNumber, invalid } from '../check.js'

/** An amount of money with bounds. The currency is yours; the names say dollars. */
export interface CostRange {
  readonly low: number
  readonly expected: number
  readonly high: number
}

const daysPerYear = 365

/**
 * Dollars per year of `unitsPerDay` at a cost each: cost · unitsPerDay · 365.
 *
 * @throws `ERR_BIO_VALUE` for a negative or infinite amount.
 *
 * @example
 * ```ts
 * import { annualCost } from '@bio/energy'
 *
 * console.log(annualCost(0.01, { unitsPerDay: 1e6 }).expected) // => 3650000
 * ```
 */
export function annualCost(cost: number | CostRange, options: { readonly unitsPerDay: number }): CostRange {
  const { unitsPerDay } = options
  checkNumber('annualCost', 'unitsPerDay', unitsPerDay, { minimum: 0 })
  return scaleRange(toRange('annualCost', 'cost', cost), unitsPerDay * daysPerYear)
}

/** A number or range as a range, checked: 0 ≤ low ≤ expected ≤ high, all finite. */
export function toRange(operation: string, name: string, value: number | CostRange): CostRange {
  const range = typeof value === 'number' ? { low: value, expected: value, high: value } : value
  if (typeof range !== 'object' || range === null)
    throw invalid(operation, `${name} to be a number or a range`, value)
  for (const side of ['low', 'expected', 'high'] as const) {
    checkNumber(operation, `${name}.${side}`, range[side], { minimum: 0 })
  }
  const { low, expected, high } = range
  if (low <= expected && expected <= high) return range
  throw invalid(operation, `${name} with low ≤ expected ≤ high`, `${low} ≤ ${expected} ≤ ${high}`)
}

export function scaleRange({ low, expected, high }: CostRange, factor: number): CostRange {
  return { low: low * factor, expected: expected * factor, high: high * factor }
}
