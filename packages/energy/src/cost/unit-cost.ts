import { checkNumber, invalid } from '../check.js'
import type { Method, Reading } from '../reading/reading.js'
import { toKilowattHours } from '../units.js'
import { hourlyRate, type HardwareCost } from './hardware-cost.js'
import { addRanges, type Range } from './range.js'

/** What every cost depends on. */
export interface UnitCostOptions {
  readonly hardware: HardwareCost
  /** The share of the hours paid in which the machine works, above 0 up to 1; 1 by default. */
  readonly utilisation?: number
  /** Power usage effectiveness of the building: what it draws over what its computers draw; 1 by default. */
  readonly pue?: number
  /** Needed unless the hourly rate includes electricity. */
  readonly dollarsPerKilowattHour?: number
}

/** Dollars per million tokens, or requests. */
export interface UnitCost {
  readonly hardware: number
  /** Null when the energy is unavailable; 0 only where the hourly rate includes it. */
  readonly electricity: Range | null
  /** Null when the electricity is. */
  readonly total: Range | null
  /** Of the energy. */
  readonly method: Method
  readonly reasons: readonly string[]
}

const secondsPerHour = 3600
const million = 1e6

/**
 * $ per million = ($/h) / 3600 · (machine seconds per unit) / utilisation · 10⁶ + (J/unit) / (3.6·10⁶ J/kWh) · 10⁶ · PUE · ($/kWh).
 *
 * The range comes from the bounds of the energy alone.
 */
export function costPerMillion(
  operation: string,
  options: UnitCostOptions,
  unit: { readonly seconds: number; readonly energy: Reading },
): UnitCost {
  const { utilisation = 1, pue = 1, dollarsPerKilowattHour } = options
  checkNumber(operation, 'utilisation', utilisation, { minimum: 0, maximum: 1, exclusive: true })
  checkNumber(operation, 'pue', pue, { minimum: 1 })
  const rate = hourlyRate(operation, options.hardware)
  const hardware = (rate.dollars / secondsPerHour) * (unit.seconds / utilisation) * million
  checkNumber(operation, 'the cost of a million', hardware)
  const { method, reasons, joules, low, high } = unit.energy
  if (rate.includesElectricity) {
    const electricity = { low: 0, expected: 0, high: 0 }
    return { hardware, electricity, total: plus(electricity, hardware), method, reasons }
  }
  if (dollarsPerKilowattHour === undefined) {
    throw invalid(operation, 'dollarsPerKilowattHour where electricity is paid apart', undefined)
  }
  checkNumber(operation, 'dollarsPerKilowattHour', dollarsPerKilowattHour, { minimum: 0 })
  if (joules === null) return { hardware, electricity: null, total: null, method, reasons }
  checkNumber(operation, 'joules of the energy', joules, { minimum: 0 })
  const dollars = (value: number): number =>
    toKilowattHours(Math.max(0, value) * million) * pue * dollarsPerKilowattHour
  const electricity = { low: dollars(low), expected: dollars(joules), high: dollars(high) }
  checkNumber(operation, 'the cost of a million', electricity.high)
  return { hardware, electricity, total: plus(electricity, hardware), method, reasons }
}

function plus(range: Range, amount: number): Range {
  return addRanges(range, { low: amount, expected: amount, high: amount })
}
