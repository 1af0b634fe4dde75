import { checkNumber } from '../check.js'

/** What the machine costs: rented by the hour, or bought and written off over its life. */
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
      /** What the money would have earned elsewhere in a year, 0 to 1; 0 by default, which writes off in a straight line. */
      readonly discountRate?: number
    }

const hoursPerYear = 365.25 * 24

/**
 * Dollars per hour. Of a machine bought, the capital recovery of the price p less the discounted residual s over n years at the rate r:
 *
 *   (p − s / (1 + r)ⁿ) · r / (1 − (1 + r)⁻ⁿ) / 8766 h,  and  (p − s) / n / 8766 h  for r = 0.
 */
export function hourlyRate(
  operation: string,
  hardware: HardwareCost,
): { dollars: number; includesElectricity: boolean } {
  if ('dollarsPerHour' in hardware) {
    const { dollarsPerHour, includesElectricity } = hardware
    checkNumber(operation, 'hardware.dollarsPerHour', dollarsPerHour, { minimum: 0 })
    return { dollars: dollarsPerHour, includesElectricity }
  }
  const { price, lifeYears, residual = 0, discountRate = 0 } = hardware
  checkNumber(operation, 'hardware.price', price, { minimum: 0 })
  checkNumber(operation, 'hardware.lifeYears', lifeYears, { minimum: 0, exclusive: true })
  checkNumber(operation, 'hardware.residual', residual, { minimum: 0, maximum: price })
  checkNumber(operation, 'hardware.discountRate', discountRate, { minimum: 0, maximum: 1 })
  // 1 − (1 + r)⁻ⁿ without the cancellation that would spoil a small r.
  const discounted = -Math.expm1(-lifeYears * Math.log1p(discountRate))
  const perYear =
    discounted === 0
      ? (price - residual) / lifeYears
      : ((price - residual * (1 - discounted)) * discountRate) / discounted
  return { dollars: perYear / hoursPerYear, includesElectricity: false }
}
