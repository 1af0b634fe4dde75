import { BioError } from '@bio/errors'

/** What Node's timers can hold; a longer delay would fire at once. */
const longestDelayMs = 2 ** 31 - 1

/** Refuses what is no whole number of at least `minimum` (`ERR_BIO_CONFIG`). */
export function checkCount(operation: string, name: string, value: number, minimum = 1): void {
  if (Number.isSafeInteger(value) && value >= minimum) return
  throw invalid(operation, `${name} to be a whole number of at least ${minimum}`, value)
}

/** Refuses what is no delay in milliseconds that a timer can keep (`ERR_BIO_CONFIG`). */
export function checkDelay(operation: string, name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0 && value <= longestDelayMs) return
  throw invalid(operation, `${name} to be milliseconds from 0 to ${longestDelayMs}`, value)
}

export function invalid(operation: string, expected: string, value: unknown): BioError {
  return new BioError('ERR_BIO_CONFIG', { operation, expected, received: describe(value) })
}

/** Says what came, in a few characters, whatever it is. */
export function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value == null) return String(value)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40))
  if (Array.isArray(value)) return `an array of ${value.length}`
  return typeof value === 'object' ? `a ${value.constructor?.name ?? 'null-prototype object'}` : typeof value
}
