import { checkNumber } from '../check.js'
import type { Boundary, Reading } from '../reading/reading.js'
import { joulesPerBit } from './joules-per-bit.js'

/** One action: a token, a class, a move. */
export interface Action {
  /** Of the distribution that it was drawn from: see `entropyBits`. */
  readonly entropyBits: number
  /** Of the action taken, under the model itself: see `surprisalBits`. */
  readonly surprisalBits?: number
  /** Whose action it is, a request of a batch say; one stream by default. */
  readonly stream?: string
}

/** The bits of some actions. */
export interface ActionBits {
  readonly actions: number
  readonly entropyBits: number
  /** Null unless every action gave it. */
  readonly surprisalBits: number | null
}

export interface ActionStream extends ActionBits {
  readonly stream: string
  /** Action entropy rate A = Σ H / T. */
  readonly bitsPerSecond: number
}

export interface ActionReportOptions {
  /** Wall-clock seconds that the actions were taken in, T. */
  readonly seconds: number
  /** Used in that time. */
  readonly energy: Reading
  /** Bits that came in: of the prompts, the pixels, the sensors. */
  readonly inputBits?: number
}

/** What was decided, how fast, and for how much energy, with all that the numbers depend on. */
export interface ActionReport extends ActionBits {
  /** Summed over the streams. */
  readonly bitsPerSecond: number
  readonly streams: readonly ActionStream[]
  /** Input bits per bit decided; null where no input was given, 'no choice' where nothing was decided. */
  readonly compression: number | 'no choice' | null
  /** Joules per bit decided, P / A; 'no choice' where nothing was. */
  readonly joulesPerBit: Reading | 'no choice'
  readonly boundary: Boundary
  readonly conventions: readonly string[]
}

/**
 * Counts what actions decide: A = Σₜ Hₜ / T in bits per second, per stream and in sum, compression = input bits / Σ H, joules per action
 * bit = E / Σ H. Greedy choices decide nothing, so the surprisal stands beside.
 *
 * After the article's "how many bits of decision per second"; of Argonne's paper (arXiv 2509.24521) only the abstract was at hand, so these
 * definitions are ours and travel with the report.
 *
 * @example
 * ```ts
 * import { ActionInformation, createReading, entropyBits, surprisalBits } from '@bio/energy'
 *
 * const actions = new ActionInformation()
 * actions.add({ entropyBits: entropyBits([0.5, 0.5]), surprisalBits: surprisalBits(0.5), stream: 'a' })
 * actions.add({ entropyBits: entropyBits([0.25, 0.25, 0.25, 0.25]), surprisalBits: surprisalBits(0.25), stream: 'b' })
 * const energy = createReading({ joules: 6, method: 'measured', source: 'rapl', seconds: 2 })
 * const { bitsPerSecond, compression, joulesPerBit } = actions.report({ seconds: 2, energy, inputBits: 300 })
 * console.log(bitsPerSecond, compression, joulesPerBit === 'no choice' || joulesPerBit.joules) // => 1.5 100 2
 * ```
 */
export class ActionInformation {
  readonly #streams = new Map<
    string,
    { actions: number; entropyBits: number; surprisalBits: number | null }
  >()

  /** @throws `ERR_BIO_VALUE` for bits that are negative or infinite. */
  add({ entropyBits, surprisalBits, stream = '' }: Action): void {
    checkNumber('ActionInformation.add', 'entropyBits', entropyBits, { minimum: 0 })
    if (surprisalBits !== undefined) {
      checkNumber('ActionInformation.add', 'surprisalBits', surprisalBits, { minimum: 0 })
    }
    const { actions, ...bits } = this.#streams.get(stream) ?? { actions: 0, entropyBits: 0, surprisalBits: 0 }
    this.#streams.set(stream, {
      actions: actions + 1,
      entropyBits: bits.entropyBits + entropyBits,
      surprisalBits:
        bits.surprisalBits === null || surprisalBits === undefined
          ? null
          : bits.surprisalBits + surprisalBits,
    })
  }

  /** @throws `ERR_BIO_VALUE` unless `seconds` is above 0 and `inputBits` at least 0. */
  report({ seconds, energy, inputBits }: ActionReportOptions): ActionReport {
    const operation = 'ActionInformation.report'
    checkNumber(operation, 'seconds', seconds, { minimum: 0, exclusive: true })
    if (inputBits !== undefined) checkNumber(operation, 'inputBits', inputBits, { minimum: 0 })
    const streams = [...this.#streams].map(([stream, bits]) => ({
      stream,
      ...bits,
      bitsPerSecond: bits.entropyBits / seconds,
    }))
    const bits = streams.reduce((sum, { entropyBits }) => sum + entropyBits, 0)
    const price = joulesPerBit(energy, bits)
    return {
      actions: streams.reduce((sum, { actions }) => sum + actions, 0),
      entropyBits: bits,
      surprisalBits: streams.reduce<number | null>(
        (sum, { surprisalBits }) => (sum === null || surprisalBits === null ? null : sum + surprisalBits),
        0,
      ),
      bitsPerSecond: bits / seconds,
      streams,
      compression: inputBits === undefined ? null : price === null ? 'no choice' : inputBits / bits,
      joulesPerBit: price ?? 'no choice',
      boundary: energy.boundary,
      conventions: [
        'bits: entropy of the distribution that was drawn from, after temperature and cuts',
        'surprisal: of the action taken, under the model before temperature and cuts',
        `rate: over ${seconds} s of wall-clock time, waiting included, summed over ${streams.length} streams`,
        `joules: gross, boundary ${energy.boundary}, ${energy.method}`,
      ],
    }
  }
}
