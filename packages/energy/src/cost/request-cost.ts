import { checkNumber, invalid } from '../check.js'
import type { Reading } from '../reading/reading.js'
import { costPerMillion, type UnitCost, type UnitCostOptions } from './unit-cost.js'

export interface RequestCostOptions extends UnitCostOptions {
  /** Of the average request, without those found in a cache. */
  readonly promptTokens: number
  readonly outputTokens: number
  /** All requests together while the machine does nothing but read prompts. */
  readonly prefillTokensPerSecond: number
  /** All requests together while it does nothing but write. */
  readonly decodeTokensPerSecond: number
  /** Energy of one request, prefill and decode. */
  readonly energyPerRequest: Reading
}

export interface RequestCost extends UnitCost {
  /** The dollars of `hardware` by what the machine did. */
  readonly phases: { readonly prefill: number; readonly decode: number }
}

/**
 * $ per million requests: a request takes promptTokens / (prefill tokens/s) + outputTokens / (decode tokens/s) of the machine.
 *
 * Beyond that as `costPerMillionTokens`. Where prefill and decode share steps, take the rates from runs of either alone.
 *
 * @throws `ERR_BIO_VALUE` for rates ≤ 0, tokens below 0 or none at all, and as `costPerMillionTokens`.
 *
 * @example
 * ```ts
 * import { costPerMillionRequests, createReading } from '@bio/energy'
 *
 * const { hardware, phases } = costPerMillionRequests({
 *   hardware: { price: 35_000, lifeYears: 4, residual: 5000, discountRate: 0.08 },
 *   promptTokens: 1000,
 *   outputTokens: 200,
 *   prefillTokensPerSecond: 20_000,
 *   decodeTokensPerSecond: 2000,
 *   energyPerRequest: createReading({ joules: 90, low: 85, high: 95, method: 'measured', source: 'nvml', seconds: 1 }),
 *   dollarsPerKilowattHour: 0.1,
 * })
 * console.log(hardware.toFixed(2), phases.prefill.toFixed(2), phases.decode.toFixed(2)) // => 44.95 14.98 29.97
 * ```
 */
export function costPerMillionRequests(options: RequestCostOptions): RequestCost {
  const operation = 'costPerMillionRequests'
  const { promptTokens, outputTokens, prefillTokensPerSecond, decodeTokensPerSecond } = options
  checkNumber(operation, 'promptTokens', promptTokens, { minimum: 0 })
  checkNumber(operation, 'outputTokens', outputTokens, { minimum: 0 })
  for (const [name, rate] of Object.entries({ prefillTokensPerSecond, decodeTokensPerSecond })) {
    checkNumber(operation, name, rate, { minimum: 0, exclusive: true })
  }
  const prefill = promptTokens / prefillTokensPerSecond
  const seconds = prefill + outputTokens / decodeTokensPerSecond
  if (seconds === 0) throw invalid(operation, 'promptTokens or outputTokens above 0', 0)
  const cost = costPerMillion(operation, options, { seconds, energy: options.energyPerRequest })
  const share = prefill / seconds
  return { ...cost, phases: { prefill: cost.hardware * share, decode: cost.hardware * (1 - share) } }
}
