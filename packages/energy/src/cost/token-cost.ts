import { checkNumber } from '../check.js'
import type { Reading } from '../reading/reading.js'
import { costPerMillion, type UnitCost, type UnitCostOptions } from './unit-cost.js'

export interface TokenCostOptions extends UnitCostOptions {
  /** While the machine works. */
  readonly tokensPerSecond: number
  /** Energy of one token, such as `scaleReading(energy, 1 / tokens)`. Idle hours cost only what this holds. */
  readonly energyPerToken: Reading
}

/**
 * $ per million tokens = ($/h) / (tokens/s · 3600 · utilisation) · 10⁶ + (J/token) · 10⁶ / (3.6·10⁶ J/kWh) · PUE · ($/kWh).
 *
 * Of prompts and of output apart, call it with the rate and the energy of prefill, then of decode. Hardware bought is paid by capital
 * recovery, 8766 hours a year, see `HardwareCost`. The range comes from the bounds of the energy alone.
 *
 * @throws `ERR_BIO_VALUE` for a rate ≤ 0, a utilisation outside (0, 1], a PUE below 1, a negative price, a residual above the price,
 * a discount rate outside [0, 1], energy below 0, or no $/kWh where electricity is paid apart.
 *
 * @example
 * ```ts
 * import { costPerMillionTokens, createReading } from '@bio/energy'
 *
 * const { hardware, electricity } = costPerMillionTokens({
 *   hardware: { dollarsPerHour: 2, includesElectricity: false },
 *   tokensPerSecond: 5000,
 *   energyPerToken: createReading({ joules: 0.1, low: 0.09, high: 0.12, method: 'measured', source: 'nvml', seconds: 1 }),
 *   dollarsPerKilowattHour: 0.1,
 * })
 * console.log(hardware.toFixed(3), electricity?.expected.toFixed(4)) // => 0.111 0.0028
 * ```
 */
export function costPerMillionTokens(options: TokenCostOptions): UnitCost {
  const operation = 'costPerMillionTokens'
  const { tokensPerSecond, energyPerToken } = options
  checkNumber(operation, 'tokensPerSecond', tokensPerSecond, { minimum: 0, exclusive: true })
  return costPerMillion(operation, options, { seconds: 1 / tokensPerSecond, energy: energyPerToken })
}
