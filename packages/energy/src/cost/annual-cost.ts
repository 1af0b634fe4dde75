import { checkNumber } from '../check.js'
import { scaleRange, toRange, type Range } from './range.js'

const daysPerYear = 365

/**
 * Dollars per year of `unitsPerDay` at a cost each: cost · unitsPerDay · 365.
 *
 * @throws `ERR_BIO_VALUE` for a negative or infinite amount, or a product too large for a number.
 *
 * @example
 * ```ts
 * import { annualCost } from '@bio/energy'
 *
 * console.log(annualCost(0.01, { unitsPerDay: 1e6 }).expected) // => 3650000
 * ```
 */
export function annualCost(cost: number | Range, options: { readonly unitsPerDay: number }): Range {
  const { unitsPerDay } = options
  checkNumber('annualCost', 'unitsPerDay', unitsPerDay, { minimum: 0 })
  const dollars = scaleRange(toRange('annualCost', 'cost', cost), unitsPerDay * daysPerYear)
  checkNumber('annualCost', 'the cost of a year', dollars.high)
  return dollars
}
