import { invalid } from '../check.js'

/**
 * How a reading came about, from best to worst: `measured` (a hardware counter), `derived` (calculated from measured readings by
 * difference or attribution), `estimated` (a model), `unavailable` (nobody knows).
 */
export type Method = 'measured' | 'derived' | 'estimated' | 'unavailable'

/** What the joules cover: a share of the chips in `domains`, those chips whole, the whole computer, the building with its cooling. */
export type Boundary = 'process' | 'device' | 'node' | 'facility'

/**
 * An amount of energy that says how well it is known.
 *
 * `joules` is null when the energy is unknown, and then so are the bounds: never a silent zero. The bounds cover what the method
 * cannot resolve (counter refresh, wraps, the model's band); a sensor's own calibration error is not in them.
 */
export interface Reading {
  /** Joules, best value. */
  readonly joules: number | null
  /** Joules, lower bound. */
  readonly low: number | null
  /** Joules, upper bound. */
  readonly high: number | null
  readonly method: Method
  /** Who says so: `rapl`, `nvml`, `cpu-time`; several are joined by ` + `. */
  readonly source: string
  /** The chips or parts of chips that were counted: `package-0`, `dram-0`, `gpu-0`, … */
  readonly domains: readonly string[]
  readonly boundary: Boundary
  /** Wall-clock seconds that the energy was used in. */
  readonly seconds: number
  /** Counter reads that the figure rests on. */
  readonly samples: number
  /** Counter wraps that were counted in. */
  readonly wraps: number
  /** Why the method is no better, what was left out, what went wrong; empty when nothing did. */
  readonly reasons: readonly string[]
}

/** What `createReading` fills in when it is not said. */
export type ReadingFields = Pick<Reading, 'method' | 'source' | 'seconds'> & Partial<Reading>

/**
 * A checked reading, for a source of your own.
 *
 * @throws `ERR_BIO_VALUE` when joules are not within finite bounds, or a number stands beside `unavailable` or none beside another method.
 */
export function createReading(fields: ReadingFields): Reading {
  const { joules = null, method } = fields
  const { low = joules, high = joules } = fields
  const known = joules !== null && low !== null && high !== null
  const legal = known
    ? Number.isFinite(joules) &&
      Number.isFinite(low) &&
      Number.isFinite(high) &&
      low <= joules &&
      joules <= high
    : joules === null && low === null && high === null
  if (!legal) {
    throw invalid(
      'createReading',
      'finite low ≤ joules ≤ high, or null for all three',
      `${low} ≤ ${joules} ≤ ${high}`,
    )
  }
  if (known === (method === 'unavailable')) {
    throw invalid(
      'createReading',
      'joules exactly when the method is not unavailable',
      `${joules} with ${method}`,
    )
  }
  if (!Number.isFinite(fields.seconds) || fields.seconds < 0) {
    throw invalid('createReading', 'seconds to be a finite number of at least 0', fields.seconds)
  }
  const { source, seconds, domains = [], boundary = 'device', samples = 0, wraps = 0, reasons = [] } = fields
  return { joules, low, high, method, source, domains, boundary, seconds, samples, wraps, reasons }
}

/** A reading of nothing: `joules: null`, and why. */
export function unavailableReading(
  fields: Pick<Reading, 'source' | 'seconds' | 'reasons'> & Partial<Reading>,
): Reading {
  return createReading({ ...fields, joules: null, low: null, high: null, method: 'unavailable' })
}
