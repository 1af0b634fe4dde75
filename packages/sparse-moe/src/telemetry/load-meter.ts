import { BioError } from '@bio/errors'
import { checkCount } from '../checks.js'
import { measureLoad, type ExpertLoad } from './load.js'

/**
 * The load of a layer over many steps, since one small batch says little: with 16 tokens and 64 experts most experts look dead.
 *
 * Sums `aux.counts`, since the last `reset` or over the last `window` additions. Errors: ERR_BIO_CONFIG (options), ERR_BIO_SHAPE (a
 * count per expert), ERR_BIO_VALUE (a count that is no whole number of at least 0).
 *
 * @example
 * ```ts
 * import { LoadMeter } from '@bio/sparse-moe'
 *
 * const meter = new LoadMeter({ experts: 2, window: 100 })
 * meter.add([3, 1])
 * meter.add([1, 3])
 * console.log(meter.load.join(' '), meter.maxViolation, meter.deadExperts) // => 0.5 0.5 0 0
 * ```
 */
export class LoadMeter implements ExpertLoad {
  readonly #counts: Float64Array
  readonly #window: number
  #recent: Float64Array[] = [] // a ring of the last `window` additions
  #oldest = 0

  constructor({ experts, window }: { experts: number; window?: number }) {
    checkCount('LoadMeter', 'experts', experts)
    if (window !== undefined) checkCount('LoadMeter', 'window', window)
    this.#counts = new Float64Array(experts)
    this.#window = window ?? Infinity
  }

  /** Adds the choices of one step: `aux.counts` of a forward pass. */
  add(counts: ArrayLike<number>): void {
    this.#check(counts)
    for (let expert = 0; expert < this.#counts.length; expert++) this.#counts[expert]! += counts[expert]!
    if (this.#window === Infinity) return
    if (this.#recent.length < this.#window) {
      this.#recent.push(Float64Array.from(counts))
      return
    }
    const gone = this.#recent[this.#oldest]!
    for (let expert = 0; expert < gone.length; expert++) this.#counts[expert]! -= gone[expert]!
    gone.set(counts)
    this.#oldest = (this.#oldest + 1) % this.#window
  }

  /** Forgets everything. */
  reset(): void {
    this.#counts.fill(0)
    this.#recent = []
    this.#oldest = 0
  }

  /** [experts] choices per expert. */
  get counts(): Float64Array {
    return this.#counts.slice()
  }

  get load(): Float64Array {
    return measureLoad(this.#counts).load
  }

  get maxViolation(): number {
    return measureLoad(this.#counts).maxViolation
  }

  get deadExperts(): number {
    return measureLoad(this.#counts).deadExperts
  }

  #check(counts: ArrayLike<number>): void {
    const experts = this.#counts.length
    if (counts.length !== experts) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'LoadMeter.add',
        expected: `${experts} counts`,
        received: String(counts.length),
      })
    }
    for (let expert = 0; expert < experts; expert++) {
      if (Number.isSafeInteger(counts[expert]) && counts[expert]! >= 0) continue
      throw new BioError('ERR_BIO_VALUE', {
        operation: 'LoadMeter.add',
        expected: 'whole numbers of at least 0',
        received: String(counts[expert]),
        hint: 'Pass aux.counts, not aux.load.',
      })
    }
  }
}
