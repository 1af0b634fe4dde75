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
  /** When the read had ended. */
  readonly time: number
  /** When it had begun; `time` by default. */
  readonly since?: number
}

/** What a counter showed when. */
export interface CounterValue {
  readonly value: number
  readonly time: number
  readonly since: number
}

/** The reads that showed one value; `changed` is the energy counted when the next value was seen, which is more than any time before it. */
interface Plateau {
  /** Seconds: the last read that still showed the value before had begun then. */
  readonly after: number
  changed?: number
}

/** What an account has counted so far; a span is the difference of two. */
interface Totals {
  readonly low: number
  readonly high: number
  readonly wraps: number
  readonly samples: number
  readonly faults: number
  /** What the counter has not shown yet of the energy used until now, at most. */
  readonly hidden: number
  /** The same without the refresh: since the last read began. */
  readonly unread: number
  readonly plateau: Plateau
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
  #plateau: Plateau = { after: -Infinity }
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
    if (read === undefined) return
    const since = this.#now()
    this.take({ value: readWithRetry(read), time: this.#now(), since })
  }

  /** Takes in a read; they come in the order in which they were made. */
  take({ value, time, since = time }: CounterSample): void {
    if (typeof value === 'string') {
      this.#failure = value
      return
    }
    this.#failure = undefined
    const last = this.#last
    this.#last = { value, time, since }
    this.#samples++
    if (last === undefined) this.#movedAt = time
    else if (value === last.value) this.#stand(time)
    else this.#move(last, this.#last)
  }

  startSpan(): EnergySpan {
    this.sample()
    const failure = this.#failure
    const start = this.#now()
    const atStart = this.#totals(start)
    return {
      read: (): Reading => {
        this.sample()
        const failureNow = this.#failure
        const end = this.#now()
        const atEnd = this.#totals(end)
        const fields = {
          source: this.counter.source,
          domains: [this.counter.domain],
          seconds: Math.max(0, end - start),
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

  #totals(now: number): Totals {
    const { maxWatts, refreshSeconds } = this.counter
    const { time, since } = this.#last ?? { time: now, since: now }
    const stood = time - this.#movedAt
    // A value is as old as the stated refresh, or, where it was seen to stand for longer, as that and the refresh before it; but never
    // older than the last read that showed another.
    const age = now - since + refreshSeconds + (stood > refreshSeconds ? stood : 0)
    return {
      low: this.#low,
      high: this.#high,
      wraps: this.#wraps,
      samples: this.#samples,
      faults: this.#faults,
      hidden: maxWatts * Math.max(0, Math.min(age, now - this.#plateau.after)),
      unread: maxWatts * Math.max(0, now - since),
      plateau: this.#plateau,
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
    // A counter is stale when it is read: the start may hold back energy of the time before, but no more than the counter had shown when
    // it next changed; the end may hold back energy of the time within, but no more than that time allows.
    const { changed } = atStart.plateau
    const sinceChange = changed === undefined ? 0 : atEnd.low - changed - atStart.unread
    const least = Math.max(0, low - atStart.hidden, sinceChange) - coarse
    const most = Math.min(high + atEnd.hidden + coarse, maxWatts * fields.seconds)
    const bottom = Math.max(0, Math.min(least, most))
    // Reads too far apart to count the wraps between them: every count that is possible lies within the bounds.
    const counted = high - low < unit
    return createReading({
      source: fields.source,
      domains: fields.domains,
      seconds: fields.seconds,
      samples: fields.samples,
      wraps: fields.wraps,
      low: bottom,
      high: most,
      joules: Math.min(Math.max((low + high) / 2, bottom), most),
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
    const plateau = this.#plateau
    this.#plateau = { after: from.since }
    const step = counterStep(from.value, to.value, to.time - from.since, this.counter)
    if ('fault' in step) return this.#fault(step.fault)
    this.#low += step.low
    this.#high += step.high
    this.#wraps += step.wraps
    plateau.changed = this.#low
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
