import { checkNumber, invalid } from '../check.js'
import type { Method, Reading } from '../reading/reading.js'
import type { CostRange } from './cost-range.js'

/** What the machine costs: rented by the hour, or bought and written off in a straight line. */
export type HardwareCost =
  | {
      readonly dollarsPerHour: number
      /** As in most clouds; then no electricity is added. */ readonly includesElectricity: boolean
    }
  | {
      readonly price: number
      readonly lifeYears: number
      /** What it is still worth at the end; 0 by default. */
      readonly residual?: number
    }

export interface TokenCostOptions {
  readonly hardware: HardwareCost
  /** While the machine works. */
  readonly tokensPerSecond: number
  /** The share of the hours paid in which it works, above 0 up to 1; 1 by default. */
  readonly utilisation?: number
  /** Energy of one token, such as `scaleReading(energy, 1 / tokens)`. Idle hours cost only what this holds. */
  readonly energyPerToken: Reading
  /** Power usage effectiveness of the building: what it draws over what its computers draw; 1 by default. */
  readonly pue?: number
  /** Needed unless the hourly rate includes electricity. */
  readonly dollarsPerKilowattHour?: number
}

/** Dollars per million tokens. */
export interface TokenCost {
  readonly hardware: number
  /** Null when the energy is unavailable; 0 only where the hourly rate includes it. */
  readonly electricity: CostRange | null
  /** Null when the electricity is. */
  readonly total: CostRange | null
  /** Of the energy. */
  readonly method: Method
  readonly reasons: readonly string[]
}

const secondsPerHour = 3600
const joulesPerKilowattHour = 3.6e6
const hoursPerYear = 365.25 * 24
const million = 1e6

/**
 * $ per million tokens = ($/h) / (tokens/s · 3600 · utilisation) · 10⁶ + (J/token) · 10⁶ / (3.6·10⁶ J/kWh) · PUE · ($/kWh).
 *
 * Hardware bought costs (price − residual) / (lifeYears · 8766 h) per hour. The range comes from the bounds of the energy alone.
 *
 * @throws `ERR_BIO_VALUE` for a rate ≤ 0, a utilisation outside (0, 1], a PUE below 1, a negative price, a residual above the price,
 * energy below 0, or no $/kWh where electricity is paid apart.
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
export function costPerMillionTokens(options: TokenCostOptions): TokenCost {
  const operation = 'costPerMillionTokens'
  const { tokensPerSecond, utilisation = 1, energyPerToken, pue = 1, dollarsPerKilowattHour } = options
  checkNumber(operation, 'tokensPerSecond', tokensPerSecond, { minimum: 0, exclusive: true })
  checkNumber(operation, 'utilisation', utilisation, { minimum: 0, maximum: 1, exclusive: true })
  checkNumber(operation, 'pue', pue, { minimum: 1 })
  const rate = hourlyRate(operation, options.hardware)
  const hardware = (rate.dollars / (tokensPerSecond * secondsPerHour * utilisation)) * million
  const { method, reasons } = energyPerToken
  if (rate.includesElectricity) {
    const range = { low: 0, expected: 0, high: 0 }
    return { hardware, electricity: range, total: add(range, hardware), method, reasons }
  }
  if (dollarsPerKilowattHour === undefined) {
    throw invalid(operation, 'dollarsPerKilowattHour where electricity is paid apart', undefined)
  }
  checkNumber(operation, 'dollarsPerKilowattHour', dollarsPerKilowattHour, { minimum: 0 })
  if (energyPerToken.joules === null) return { hardware, electricity: null, total: null, method, reasons }
  const { joules, low, high } = energyPerToken
  checkNumber(operation, 'energyPerToken.joules', joules, { minimum: 0 })
  const dollars = (value: number): number =>
    ((Math.max(0, value) * million) / joulesPerKilowattHour) * pue * dollarsPerKilowattHour
  const electricity = { low: dollars(low), expected: dollars(joules), high: dollars(high) }
  return { hardware, electricity, total: add(electricity, hardware), method, reasons }
}

function hourlyRate(
  operation: string,
  hardware: HardwareCost,
): { dollars: number; includesElectricity: boolean } {
  if ('dollarsPerHour' in hardware) {
    const { dollarsPerHour, includesElectricity } = hardware
    checkNumber(operation, 'hardware.dollarsPerHour', dollarsPerHour, { minimum: 0 })
    return { dollars: dollarsPerHour, includesElectricity }
  }
  const { price, lifeYears, residual = 0 } = hardware
  checkNumber(operation, 'hardware.price', price, { minimum: 0 })
  checkNumber(operation, 'hardware.lifeYears', lifeYears, { minimum: 0, exclusive: true })
  checkNumber(operation, 'hardware.residual', residual, { minimum: 0, maximum: price })
  return { dollars: (price - residual) / (lifeYears * hoursPerYear), includesElectricity: false }
}

function add({ low, expected, high }: CostRange, amount: number): CostRange {
  return { low: low + amount, expected: expected + amount, high: high + amount }
}
