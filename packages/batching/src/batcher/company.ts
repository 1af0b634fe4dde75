/** After which moment the next arrival is awaited: an arrival, or the end of a run that left requests waiting. */
export type Moment = 'arrival' | 'end'

/** Sizes up to which each has figures of its own; larger ones share the last. */
const longest = 64

/** Weight of the newest observation. */
const newest = 0.2

/** What came after `n` requests were waiting and a run could have started. */
interface Habit {
  /** How often another request came in time, 0…1. */
  chance: number
  /** Milliseconds until it came, where it came in time. */
  delayMs: number
}

/** A moment when a batch of `count` could start. */
interface Awaited {
  readonly moment: Moment
  readonly at: number
  readonly count: number
  readonly savedMs: number
  /** Longest wait worth while. */
  readonly waitMs: number
}

/**
 * Learns whether waiting for company pays, from what came after each moment when a batch of n could start.
 *
 * To start one run for n + 1 requests instead of two saves s = (a·n + b)/c − a·n milliseconds for the next one (c runs at a time; s = b for c = 1),
 * and costs the n requests t + a each if it comes after t. So the longest wait worth while is w = (s − what its requests have waited
 * already)/(n + 1), and waiting pays where chance·(s − (n + 1)·delay) > (1 − chance)·n·w. Chance and delay are moving averages for each n and
 * moment, learnt whether or not the batch waited: two clients in a closed loop are awaited for each other and for no third; a lone one waits
 * for nobody; Poisson arrivals give 1 − exp(−rate·w). A batch waits at most s in all, summed over its requests: under a steady stream
 * there is always another to wait for, and a run that does not start saves nobody anything.
 */
export class Company {
  readonly #habits: Record<Moment, Habit[]> = { arrival: [], end: [] }
  #awaited: Awaited | undefined
  /** Milliseconds that the requests of the batch to be have waited for company, summed. */
  #waitedMs = 0

  /** From now on a run could start for `count` requests: one more would save `savedMs`. */
  await(
    moment: Moment,
    at: number,
    { count, savedMs }: { readonly count: number; readonly savedMs: number },
  ): void {
    if (moment === 'end' || count === 1) this.#waitedMs = 0
    const waitMs = Math.max(0, savedMs - this.#waitedMs) / (count + 1)
    this.#awaited = { moment, at, count, savedMs, waitMs }
  }

  /** The next request came. */
  arrived(at: number): void {
    if (this.#awaited === undefined) return
    const { moment, at: since, count, waitMs } = this.#awaited
    this.#awaited = undefined
    const delayMs = at - since
    this.#waitedMs += count * delayMs
    const habit = (this.#habits[moment][index(count)] ??= { chance: 0, delayMs: 0 })
    const inTime = delayMs < waitMs
    habit.chance += newest * ((inTime ? 1 : 0) - habit.chance)
    if (inTime) habit.delayMs += newest * (delayMs - habit.delayMs)
  }

  /** Until when `count` requests had better wait for another, by the clock of `await`; the past where waiting does not pay. */
  waitUntil(count: number): number {
    if (this.#awaited === undefined) return -Infinity
    const { moment, at, savedMs, waitMs } = this.#awaited
    const habit = this.#habits[moment][index(count)]
    if (habit === undefined || savedMs <= 0) return -Infinity
    const gain = habit.chance * (savedMs - (count + 1) * habit.delayMs)
    return gain > (1 - habit.chance) * count * waitMs ? at + waitMs : -Infinity
  }
}

function index(count: number): number {
  return Math.min(count, longest) - 1
}
