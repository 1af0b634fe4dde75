import { scaleReading } from '../reading/arithmetic.js'
import type { Reading } from '../reading/reading.js'

/** Fewer bits are rounding, and their price would be infinite. */
const fewestBits = 1e-9

/** The reading over the bits; null where there are (almost) none. */
export function joulesPerBit(energy: Reading, bits: number): Reading | null {
  return bits > fewestBits ? scaleReading(energy, 1 / bits) : null
}
