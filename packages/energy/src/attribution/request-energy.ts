import { checkNumber, describeError, invalid } from '../check.js'
import type { EnergyMeter } from '../meter/energy-meter.js'
import { isThenable } from '../meter/measure-calls.js'
import { unavailableReading, type Reading } from '../reading/reading.js'
import { EnergyTally } from './energy-tally.js'
import { RunningStep } from './running-step.js'
import { Segments } from './segments.js'
import { stepShares, type StepCost } from './step-shares.js'

/** Whom a step's energy belongs to, and how it is shared. */
export interface RequestEnergyOptions<Item, Key> extends StepCost<Item> {
  /** An `EnergyMeter`; it must stay open as long as steps run. */
  readonly meter: Pick<EnergyMeter, 'begin'>
  /** The request that an item belongs to; it may have items in many steps, or several in one. */
  readonly key: (item: Item) => Key
  /** Requests kept for `take`; the oldest beyond are summed as `unclaimed`. Default 10,000. */
  readonly maxRequests?: number
}

/** The whole, and what of it belongs to no request that can still be taken. */
export interface RequestEnergyTotals {
  /** Requests taken or not, unclaimed, steps that still run, and idle. */
  readonly total: Reading
  /** While no step ran. */
  readonly idle: Reading
  /** Of requests that nobody took before `maxRequests` others came. */
  readonly unclaimed: Reading
}

/**
 * Joules per request under batching: wraps the function that runs a batch, of a `Batcher` or of a `StepScheduler`'s engine, reads the meter
 * where a step begins and ends, and shares each step's energy over the requests in it.
 *
 * Σ requests + idle = window, to rounding: every joule between two readings goes to the steps that ran then, in equal parts, within a step
 * by sᵢ = (cᵢ + f/n) / (f + Σc) (marginal cost first, the fixed cost f in equal parts), or to `idle` when none ran. Steps that throw or
 * are aborted used energy too. The bounds of a request are its shares of the bounds of its steps, so a clock that ticks coarsely next to
 * a step gives wide ones. Readings are gross: what else the chips did during a step is in it.
 *
 * @throws `ERR_BIO_VALUE` for options that are none, and from a wrapped step for a cost that is negative or no number;
 * `ERR_BIO_CLOSED` for a closed meter.
 *
 * @example
 * ```ts
 * import { EnergyMeter, RequestEnergy } from '@bio/energy'
 *
 * await using meter = await EnergyMeter.open()
 * const requests = new RequestEnergy({
 *   meter,
 *   key: (item: { id: number; tokens: Int32Array }) => item.id,
 *   cost: ({ tokens }) => tokens.length,
 * })
 * // new StepScheduler({ engine: { step: requests.wrap((items, context) => engine.step(items, context)) }, … })
 * const step = requests.wrap((items) => items.map(({ tokens }) => tokens.at(-1)! + 1))
 * step([{ id: 7, tokens: Int32Array.of(1, 2, 3) }, { id: 8, tokens: Int32Array.of(1) }])
 * const [long, short] = [requests.take(7), requests.take(8)]
 * console.log(long.joules === null || Math.abs(long.joules / short.joules - 3) < 1e-9) // => true
 * ```
 */
export class RequestEnergy<Item, Key = unknown> {
  readonly #options: RequestEnergyOptions<Item, Key>
  readonly #maxRequests: number
  readonly #segments: Segments
  readonly #requests = new Map<Key, EnergyTally>()
  readonly #unclaimed = new EnergyTally()

  constructor(options: RequestEnergyOptions<Item, Key>) {
    const { meter, key, cost, fixedCost = 0, maxRequests = 10_000 } = options
    for (const [name, value] of Object.entries({ key, cost, 'meter.begin': meter?.begin })) {
      if (typeof value !== 'function') throw invalid('RequestEnergy', `${name} to be a function`, value)
    }
    checkNumber('RequestEnergy', 'fixedCost', fixedCost, { minimum: 0 })
    checkNumber('RequestEnergy', 'maxRequests', maxRequests, { minimum: 1, whole: true })
    this.#options = options
    this.#maxRequests = maxRequests
    this.#segments = new Segments(() => meter.begin('requests'))
  }

  /** The same function, its energy shared over the items of its first argument; what it returns or throws is passed on. */
  wrap<Rest extends unknown[], Result>(
    run: (items: readonly Item[], ...rest: Rest) => Result,
  ): (items: readonly Item[], ...rest: Rest) => Result {
    return (items, ...rest) => {
      const leave = this.#enter(items)
      let result: Result
      try {
        result = run(items, ...rest)
      } catch (error) {
        leave()
        throw error
      }
      if (isThenable(result)) return Promise.resolve(result).finally(leave) as Result
      leave()
      return result
    }
  }

  /**
   * What the request's finished steps used, once: it is forgotten then. Unavailable, with the reason, for a request without any. Take it when
   * the request has settled; a step that it left while running is counted under its key when it ends.
   */
  take(key: Key): Reading {
    const tally = this.#requests.get(key)
    this.#requests.delete(key)
    if (tally !== undefined) return tally.reading()
    return unavailableReading({ source: 'none', seconds: 0, reasons: ['no step of this request has ended'] })
  }

  /** The whole since the construction and what of it is no request's yet, all of one moment. */
  read(): RequestEnergyTotals {
    return { ...this.#segments.read(), unclaimed: this.#unclaimed.reading() }
  }

  #enter(items: readonly Item[]): () => void {
    // A step of nobody is idle.
    if (items.length === 0) return () => {}
    const { key, meter } = this.#options
    const shares = stepShares(items, this.#options)
    const keys = items.map(key)
    let step: RunningStep
    try {
      step = new RunningStep(meter.begin('step'))
    } catch (error) {
      // Requests go on without their meter, and learn why nobody knows their joules.
      const reading = unavailableReading({ source: 'none', seconds: 0, reasons: [describeError(error)] })
      return () => this.#share(reading, keys, shares)
    }
    this.#segments.enter(step)
    return () => this.#share(this.#segments.leave(step), keys, shares)
  }

  #share(reading: Reading, keys: readonly Key[], shares: readonly number[]): void {
    keys.forEach((key, index) => this.#tally(key).add(reading, shares[index]!))
  }

  #tally(key: Key): EnergyTally {
    let tally = this.#requests.get(key)
    if (tally !== undefined) return tally
    tally = new EnergyTally()
    this.#requests.set(key, tally)
    if (this.#requests.size > this.#maxRequests) {
      const [[oldest, forgotten]] = this.#requests as Iterable<[Key, EnergyTally]> as [[Key, EnergyTally]]
      this.#requests.delete(oldest)
      this.#unclaimed.merge(forgotten)
    }
    return tally
  }
}
