import { checkNumber, invalid } from '../check.js'

/**
 * How a reading came about, from best to worst: `measured` (a hardware counter), `derived` (calculated from measured readings by
 * difference or attribution), `estimated` (a model), `unavailable` (nobody knows).
 */
export type Method = 'measured' | 'derived' | 'estimated' | 'unavailable'

/** What the joules cover: a share of the chips in `domains`, those chips whole, the whole computer, the building with its cooling. */
export type Boundary = 'process' | 'device' | 'node' | 'facility'

/** What every reading says, known or not. */
interface ReadingFacts {
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
  /** The share of `seconds` in which a sensor or a clock saw what was used, 0 to 1: 1 for a counter, 0.25 for a sensor that looks a quarter of the time. */
  readonly coverage: number
  /** Why the method is no better, what was left out, what went wrong; empty when nothing did. */
  readonly reasons: readonly string[]
}

/** The part of a reading above what the same chips draw when idle, in joules; below 0 where they drew less than when that was taken. */
export interface AboveIdle {
  readonly joules: number
  readonly low: number
  readonly high: number
  readonly method: 'derived' | 'estimated'
  /** When the idle power was taken, ISO 8601; the earliest of several. */
  readonly calibratedAt: string
}

/** A reading with a number. */
export interface KnownReading extends ReadingFacts {
  /** Joules, best value: gross, all that the chips used. */
  readonly joules: number
  /** Joules, lower bound. */
  readonly low: number
  /** Joules, upper bound. */
  readonly high: number
  readonly method: Exclude<Method, 'unavailable'>
  /** Null where no idle power was taken: see `calibrateIdle`. */
  readonly aboveIdle: AboveIdle | null
}

/** A reading of energy that nobody knows. */
export interface UnknownReading extends ReadingFacts {
  readonly joules: null
  readonly low: null
  readonly high: null
  readonly method: 'unavailable'
  readonly aboveIdle: null
}

/**
 * An amount of energy that says how well it is known.
 *
 * `joules` is null when the energy is unknown, and then so are the bounds: never a silent zero; `joules !== null` tells the type as well.
 * The bounds cover what the method cannot resolve (counter refresh, wraps, the model's band); a sensor's own calibration error is not in
 * them.
 */
export type Reading = KnownReading | UnknownReading

/** The fields of a reading; `createReading` fills in those that may be left out. */
export interface ReadingFields extends Partial<ReadingFacts> {
  readonly source: string
  readonly seconds: number
  readonly method: Method
  /** Null by default. */
  readonly joules?: number | null
  /** As `joules` by default. */
  readonly low?: number | null
  readonly high?: number | null
  /** Null by default. */
  readonly aboveIdle?: AboveIdle | null
}

/**
 * A checked reading, for a source of your own. Coverage is 1 unless said otherwise.
 *
 * @throws `ERR_BIO_VALUE` when joules are not within finite bounds, or a number stands beside `unavailable` or none beside another method.
 */
export function createReading(fields: ReadingFields): Reading {
  const { source, seconds, method, domains = [], boundary = 'device' } = fields
  const { samples = 0, wraps = 0, coverage = 1, reasons = [] } = fields
  const { joules = null, aboveIdle = null } = fields
  const { low = joules, high = joules } = fields
  checkNumber('createReading', 'seconds', seconds, { minimum: 0 })
  checkNumber('createReading', 'coverage', coverage, { minimum: 0, maximum: 1 })
  if (method === 'unavailable') {
    if (joules === null && low === null && high === null && aboveIdle === null) {
      return unavailableReading({ source, domains, boundary, seconds, samples, wraps, reasons })
    }
    throw invalid('createReading', 'no joules of an unavailable reading', joules ?? aboveIdle)
  }
  if (joules === null || low === null || high === null) {
    throw invalid('createReading', `joules and bounds of a reading that is ${method}`, null)
  }
  checkBounds({ joules, low, high })
  if (aboveIdle !== null) {
    checkBounds(aboveIdle)
    if (Number.isNaN(Date.parse(aboveIdle.calibratedAt))) {
      throw invalid('createReading', 'calibratedAt to be a date and time', aboveIdle.calibratedAt)
    }
  }
  // Written out, as below: spreading one object behind the fields of another costs several times what all of this does.
  return {
    joules,
    low,
    high,
    method,
    aboveIdle,
    source,
    domains,
    boundary,
    seconds,
    samples,
    wraps,
    coverage,
    reasons,
  }
}

function checkBounds({ joules, low, high }: Pick<AboveIdle, 'joules' | 'low' | 'high'>): void {
  checkNumber('createReading', 'joules', joules)
  checkNumber('createReading', 'low', low)
  checkNumber('createReading', 'high', high)
  if (low <= joules && joules <= high) return
  throw invalid('createReading', 'low ≤ joules ≤ high', `${low} ≤ ${joules} ≤ ${high}`)
}

/** A reading of nothing: `joules: null`, and why. */
export function unavailableReading(fields: UnavailableFields): UnknownReading {
  const { source, seconds, domains = [], boundary = 'device', samples = 0, wraps = 0, reasons } = fields
  return {
    joules: null,
    low: null,
    high: null,
    method: 'unavailable',
    aboveIdle: null,
    source,
    domains,
    boundary,
    seconds,
    samples,
    wraps,
    coverage: 0,
    reasons,
  }
}

/** The same reading, saying `reasons` before its own. */
export function withReasons(reasons: readonly string[], reading: Reading): Reading {
  return reasons.length === 0 ? reading : { ...reading, reasons: [...reasons, ...reading.reasons] }
}

interface UnavailableFields extends Partial<ReadingFacts> {
  readonly source: string
  readonly seconds: number
  readonly reasons: readonly string[]
}
