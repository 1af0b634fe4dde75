import { describeError } from '../check.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import type { Clock, EnergyAccount, EnergySpan } from '../source.js'
import { counterStep, type CounterLimits } from './counter-step.js'

/** A hardware energy counter and how to read it. */
export interface Counter extends CounterLimits {
  readonly source: string
  readonly domain: string
  /** Joules since whenever. Throws when the counter cannot be read or holds no number. Absent where somebody else reads and calls `take`. */
  readonly read?: () => number
  /** Hardware that is switched on moves its counter at least this often, in seconds. */
  readonly stuckAfterSeconds: number
}

/** A read may fail for a moment (EINVAL of a busy driver): this often it is tried at once before it counts as failed. */
const attempts = 3

/** What a read of a counter gave, and when in seconds: joules, or why there are none. */
export interface CounterSample {
  readonly value: number | string
  readonly time: number
}

/** What a counter showed when. */
export interface CounterValue {
  readonly value: number
  readonly time: number
}

/** What an account has counted so far; a span is the difference of two. */
interface Totals {
  readonly low: number
  readonly high: number
  readonly wraps: number
  readonly samples: number
  readonly faults: number
  /** How old the counter's value may be: its refresh, or longer when it was seen to stand still. */
  readonly staleSeconds: number
}

/**
 * Running totals over one counter: unwraps it and remembers its faults.
 *
 * A failed read loses nothing: the next good one covers the gap. A reset, a jump or a counter that stands still is a fault, and every
 * span that saw one is unavailable.
 */
export class CounterAccount implements EnergyAccount {
  readonly counter: Counter
  readonly #now: Clock
  #last: CounterValue | undefined
  #movedAt = 0
  #moved = false
  #low = 0
  #high = 0
  #wraps = 0
  #samples = 0
  #faults = 0
  #lastFault = ''
  #failure: string | undefined = 'the counter was never read'

  constructor(counter: Counter, now: Clock) {
    this.counter = counter
    this.#now = now
  }

  /** False for a counter that has stood still since the first read, as those of parts that are not there do. */
  get moved(): boolean {
    return this.#moved
  }

  /** The last good read. */
  get last(): CounterValue | undefined {
    return this.#last
  }

  sample(): void {
    const { read } = this.counter
    if (read !== undefined) this.take({ value: readWithRetry(read), time: this.#now() })
  }

  /** Takes in a read; they come in the order in which they were made. */
  take({ value, time }: CounterSample): void {
    if (typeof value === 'string') {
      this.#failure = value
      return
    }
    this.#failure = undefined
    const last = this.#last
    this.#last = { value, time }
    this.#samples++
    if (last === undefined) this.#movedAt = time
    else if (value === last.value) this.#stand(time)
    else this.#move(last, { value, time })
  }

  startSpan(): EnergySpan {
    this.sample()
    const failure = this.#failure
    const start = this.#now()
    const atStart = this.#totals()
    return {
      read: (): Reading => {
        this.sample()
        const failureNow = this.#failure
        const atEnd = this.#totals()
        const fields = {
          source: this.counter.source,
          domains: [this.counter.domain],
          seconds: Math.max(0, this.#now() - start),
          samples: atEnd.samples - atStart.samples + 1,
          wraps: atEnd.wraps - atStart.wraps,
        }
        const reason =
          failure ?? failureNow ?? (atEnd.faults === atStart.faults ? undefined : this.#lastFault)
        if (reason !== undefined) {
          return unavailableReading({ ...fields, reasons: [`${this.counter.domain}: ${reason}`] })
        }
        return this.#reading(fields, atStart, atEnd)
      },
    }
  }

  #totals(): Totals {
    const staleSeconds = this.#last === undefined ? 0 : this.#last.time - this.#movedAt
    return {
      low: this.#low,
      high: this.#high,
      wraps: this.#wraps,
      samples: this.#samples,
      faults: this.#faults,
      staleSeconds: Math.max(staleSeconds, this.counter.refreshSeconds),
    }
  }

  #reading(
    fields: Pick<Reading, 'source' | 'domains' | 'seconds' | 'samples' | 'wraps'>,
    atStart: Totals,
    atEnd: Totals,
  ): Reading {
    const { maxWatts, unit, domain } = this.counter
    const low = atEnd.low - atStart.low
    const high = atEnd.high - atStart.high
    const coarse = unit * (2 + fields.wraps)
    // Reads too far apart to count the wraps between them: every count that is possible lies within the bounds.
    const counted = high - low < unit
    return createReading({
      ...fields,
      joules: (low + high) / 2,
      // A counter is stale when it is read: the start may hold back energy of the time before, the end of the time within.
      low: Math.max(0, low - maxWatts * atStart.staleSeconds - coarse),
      high: high + maxWatts * atEnd.staleSeconds + coarse,
      method: counted ? 'measured' : 'estimated',
      reasons: counted ? [] : [`${domain}: too long between two samples to count the wraps of the counter`],
    })
  }

  #stand(time: number): void {
    const seconds = time - this.#movedAt
    if (seconds > this.counter.stuckAfterSeconds)
      this.#fault(`the counter stood still for ${seconds.toFixed(1)} s`)
  }

  #move(from: CounterValue, to: CounterValue): void {
    this.#movedAt = to.time
    this.#moved = true
    const step = counterStep(from.value, to.value, to.time - from.time, this.counter)
    if ('fault' in step) return this.#fault(step.fault)
    this.#low += step.low
    this.#high += step.high
    this.#wraps += step.wraps
  }

  #fault(reason: string): void {
    this.#faults++
    this.#lastFault = reason
  }
}

function readWithRetry(read: () => number): number | string {
  for (let attempt = 1; ; attempt++) {
    try {
      return read()
    } catch (error) {
      if (attempt === attempts) return describeError(error)
    }
  }
}
