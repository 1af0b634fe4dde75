import { checkNumber } from '../check.js'
import { toRange, type Range } from './range.js'

/** A number of days, or `never`: the saving is nothing or negative. */
export type Days = number | 'never'

export interface BreakEvenOptions {
  /** Cost of one unit (a million tokens, a request) before the change. */
  readonly before: number | Range
  /** And after it. */
  readonly after: number | Range
  readonly unitsPerDay: number
  /** What the change costs once: engineering, hardware, retraining. */
  readonly oneOffCost: number | Range
}

export interface BreakEven {
  /** Dollars; negative where the change costs more than it saves. */
  readonly savingPerDay: Range
  readonly days: { readonly best: Days; readonly expected: Days; readonly worst: Days }
}

/**
 * When a change has paid for itself: days = oneOffCost / ((before − after) · unitsPerDay).
 *
 * The bounds are the extremes: the dearest change with the least saving, and the reverse. `before` and `after` vary independently.
 *
 * @throws `ERR_BIO_VALUE` for a negative or infinite amount, or a range whose bounds are out of order.
 *
 * @example
 * ```ts
 * import { breakEven } from '@bio/energy'
 *
 * const before = { low: 9, expected: 10, high: 11 } // dollars per thousand requests
 * const after = { low: 3, expected: 5, high: 9 }
 * const { days } = breakEven({ before, after, unitsPerDay: 1000, oneOffCost: 40_000 })
 * console.log(days.best, days.expected, days.worst) // => 5 8 never
 * ```
 */
export function breakEven(options: BreakEvenOptions): BreakEven {
  const { unitsPerDay } = options
  checkNumber('breakEven', 'unitsPerDay', unitsPerDay, { minimum: 0 })
  const before = toRange('breakEven', 'before', options.before)
  const after = toRange('breakEven', 'after', options.after)
  const once = toRange('breakEven', 'oneOffCost', options.oneOffCost)
  const savingPerDay = {
    low: (before.low - after.high) * unitsPerDay,
    expected: (before.expected - after.expected) * unitsPerDay,
    high: (before.high - after.low) * unitsPerDay,
  }
  return {
    savingPerDay,
    days: {
      best: daysUntil(once.low, savingPerDay.high),
      expected: daysUntil(once.expected, savingPerDay.expected),
      worst: daysUntil(once.high, savingPerDay.low),
    },
  }
}

/** A change that costs nothing has paid at once, unless it loses money every day. */
function daysUntil(cost: number, savingPerDay: number): Days {
  if (savingPerDay > 0) return cost / savingPerDay
  return cost === 0 && savingPerDay === 0 ? 0 : 'never'
}
