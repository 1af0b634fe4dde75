import { checkNumber } from '../check.js'
import type { Reading } from '../reading/reading.js'

/** Where a counter of energy goes: readings one after another, each once. */
export interface EnergyExport {
  /**
   * Adds a reading to the counters. Record consecutive ones, such as those of a step log; nested windows would count twice.
   *
   * @throws `ERR_BIO_VALUE` for joules below 0, such as a difference: a counter only rises.
   */
  record(reading: Reading): void
}

/** What a counter can add: the lower bound of gross energy is never below 0, whatever a difference of counters says. */
export function countable(
  operation: string,
  reading: Reading,
): { joules: number; low: number; high: number } | null {
  if (reading.joules === null) return null
  const { joules, low, high } = reading
  checkNumber(operation, 'joules of a counter', joules, { minimum: 0 })
  return { joules, low: Math.max(0, low), high }
}
