import type { Reading } from './reading.js'

/**
 * A reading in one line, three significant digits: `12.3 J (9.8 to 14.1, estimated by cpu-time)` or `unknown energy (reason)`.
 *
 * @example
 * ```ts
 * import { createReading, formatReading } from '@bio/energy'
 *
 * console.log(formatReading(createReading({ joules: 2, low: 1, high: 4, method: 'estimated', source: 'cpu-time', seconds: 1 })))
 * // => 2.00 J (1.00 to 4.00, estimated by cpu-time)
 * ```
 */
export function formatReading(reading: Reading): string {
  if (reading.joules === null) return `unknown energy (${reading.reasons.join('; ')})`
  const { joules, low, high, method, source } = reading
  return `${digits(joules)} J (${digits(low)} to ${digits(high)}, ${method} by ${source})`
}

/** Three significant digits, never in exponents between a millionth and a billion. */
function digits(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-6 || size >= 1e9)) return value.toExponential(2)
  return value.toFixed(size === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(size))))
}
