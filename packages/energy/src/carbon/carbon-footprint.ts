import { checkNumber, invalid } from '../check.js'
import { multiplyRanges, scaleRange, toRange, type Range } from '../cost/range.js'
import type { Method, Reading } from '../reading/reading.js'
import { toKilowattHours } from '../units.js'
import type { CarbonIntensity } from './carbon-intensity.js'

/** Grams of CO₂ equivalent by one way of counting. */
export interface Footprint {
  /** Null when the energy is unavailable. */
  readonly grams: Range | null
  readonly intensity: CarbonIntensity
  /** Of the energy: grams are never better known than it. */
  readonly method: Method
  readonly reasons: readonly string[]
}

/** Both ways of counting the same emissions. They must not be added. */
export interface CarbonFootprint {
  readonly location: Footprint
  /** Null when no market-based intensity was given. */
  readonly market: Footprint | null
}

export interface CarbonFootprintOptions {
  readonly energy: Reading
  readonly location: CarbonIntensity
  readonly market?: CarbonIntensity
  /** Power usage effectiveness of the building; 1 by default. */
  readonly pue?: number
}

/**
 * g CO₂e = (J / 3.6·10⁶ J/kWh) · PUE · (g/kWh), with the bounds of the energy times those of the intensity.
 *
 * Emissions of use only; what making the hardware emitted is `embodied` of `softwareCarbonIntensity`.
 *
 * @throws `ERR_BIO_VALUE` for energy or intensity below 0, a PUE below 1, or an intensity of the other basis.
 *
 * @example
 * ```ts
 * import { carbonFootprint, createReading } from '@bio/energy'
 *
 * const { location, market } = carbonFootprint({
 *   energy: createReading({ joules: 3.6e6, low: 3e6, high: 4e6, method: 'estimated', source: 'cpu-time', seconds: 60 }),
 *   location: { basis: 'location', gramsPerKilowattHour: 350, region: 'DE', year: 2024, source: 'own' },
 * })
 * console.log(location.grams?.expected, location.method, market) // => 350 estimated null
 * ```
 */
export function carbonFootprint(options: CarbonFootprintOptions): CarbonFootprint {
  const { energy, location, market, pue = 1 } = options
  checkNumber('carbonFootprint', 'pue', pue, { minimum: 1 })
  checkIntensity('carbonFootprint', location, 'location')
  if (market !== undefined) checkIntensity('carbonFootprint', market, 'market')
  return {
    location: footprint(energy, location, pue),
    market: market === undefined ? null : footprint(energy, market, pue),
  }
}

/** Refuses an intensity that is none, or of the other basis (`ERR_BIO_VALUE`). */
export function checkIntensity(
  operation: string,
  intensity: CarbonIntensity,
  basis: CarbonIntensity['basis'],
): void {
  if (intensity?.basis !== basis) {
    throw invalid(operation, `an intensity whose basis is ${basis}`, intensity?.basis ?? intensity)
  }
  toRange(operation, 'gramsPerKilowattHour', intensity.gramsPerKilowattHour)
  checkNumber(operation, 'year', intensity.year, { whole: true })
}

function footprint(energy: Reading, intensity: CarbonIntensity, pue: number): Footprint {
  const { joules, low, high, method, reasons } = energy
  if (joules === null) return { grams: null, intensity, method, reasons }
  checkNumber('carbonFootprint', 'joules', joules, { minimum: 0 })
  const grams = toRange('carbonFootprint', 'gramsPerKilowattHour', intensity.gramsPerKilowattHour)
  const joulesRange = { low: Math.max(0, low), expected: joules, high }
  return {
    grams: scaleRange(multiplyRanges(kilowattHours(joulesRange), grams), pue),
    intensity,
    method,
    reasons,
  }
}

function kilowattHours({ low, expected, high }: Range): Range {
  return { low: toKilowattHours(low), expected: toKilowattHours(expected), high: toKilowattHours(high) }
}
