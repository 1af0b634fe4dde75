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

/**
 * Learns whether waiting for company pays, from what came after each moment when a batch of n could start.
 *
 * To start one run for n + 1 requests instead of two saves s = (a·n + b)/c − a·n milliseconds for the next one (c runs at a time; s = b for c = 1),
 * and costs the n requests t + a each if it comes after t. So the longest wait worth while is w = s/(n + 1), and waiting pays where
 * chance·(s − (n + 1)·delay) > (1 − chance)·n·w. Chance and delay are moving averages for each n and moment, learnt whether or not the batch
 * waited: two clients in a closed loop are awaited for each other and for no third; a lone one waits for nobody; Poisson arrivals give
 * 1 − exp(−rate·w). A wrong guess costs the batch at most s in all.
 */
export class Company {
  readonly #habits: Record<Moment, Habit[]> = { arrival: [], end: [] }
  #awaited:
    | { readonly moment: Moment; readonly at: number; readonly count: number; readonly savedMs: number }
    | undefined

  /** From now on a run could start for `count` requests: one more would save `savedMs`. */
  await(
    moment: Moment,
    at: number,
    { count, savedMs }: { readonly count: number; readonly savedMs: number },
  ): void {
    this.#awaited = { moment, at, count, savedMs }
  }

  /** The next request came. */
  arrived(at: number): void {
    if (this.#awaited === undefined) return
    const { moment, at: since, count, savedMs } = this.#awaited
    this.#awaited = undefined
    const habit = (this.#habits[moment][index(count)] ??= { chance: 0, delayMs: 0 })
    const delayMs = at - since
    const inTime = delayMs < longestWaitMs(count, savedMs)
    habit.chance += newest * ((inTime ? 1 : 0) - habit.chance)
    if (inTime) habit.delayMs += newest * (delayMs - habit.delayMs)
  }

  /** Until when `count` requests had better wait for another, by the clock of `await`; the past where waiting does not pay. */
  waitUntil(count: number): number {
    if (this.#awaited === undefined) return -Infinity
    const { moment, at, savedMs } = this.#awaited
    const habit = this.#habits[moment][index(count)]
    if (habit === undefined || savedMs <= 0) return -Infinity
    const waitMs = longestWaitMs(count, savedMs)
    const gain = habit.chance * (savedMs - (count + 1) * habit.delayMs)
    return gain > (1 - habit.chance) * count * waitMs ? at + waitMs : -Infinity
  }
}

function longestWaitMs(count: number, savedMs: number): number {
  return Math.max(0, savedMs) / (count + 1)
}

function index(count: number): number {
  return Math.min(count, longest) - 1
}
