import type { Range } from '../cost/range.js'

/**
 * Grams of CO₂ equivalent per kilowatt-hour, and where that comes from.
 *
 * `location`: what the grid of the place emits on average. `market`: what the contract says, such as a supplier's residual mix or
 * certificates. The GHG Protocol (Scope 2) wants both beside each other; they answer different questions and are never added.
 */
export interface CarbonIntensity {
  readonly basis: 'location' | 'market'
  readonly gramsPerKilowattHour: number | Range
  /** The grid zone, or the supplier. */
  readonly region: string
  readonly year: number
  /** Who says so, with the licence of the data where it asks for that. */
  readonly source: string
}
