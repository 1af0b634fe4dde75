/** What a counter can do physically. Energies in joules. */
export interface CounterLimits {
  /** The counter starts again at 0 after this many joules; null for one that never wraps in practice. */
  readonly modulus: number | null
  /** No hardware behind this counter draws more, in watts. */
  readonly maxWatts: number
  /** The counter is at most this old when read, in seconds. */
  readonly refreshSeconds: number
  /** The smallest step of the counter. */
  readonly unit: number
}

/** What two reads of a counter mean: energy within [low, high] after `wraps`, or a fault. */
export type CounterStep =
  | { readonly low: number; readonly high: number; readonly wraps: number }
  | { readonly fault: string }

/**
 * The energy between two reads, E = Δ + k·modulus for the whole k that make 0 ≤ E ≤ maxWatts·(seconds + refresh) + unit.
 *
 * One k: the energy. Several (the reads are too far apart): an interval over them. None: the counter was reset, ran backwards or
 * jumped, and what was used in between is unknown. A reset cannot be told from a wrap when the implied power is plausible, which
 * has the probability maxWatts·seconds / modulus: under 0.4 % for a 262 kJ RAPL range read every second.
 */
export function counterStep(
  before: number,
  after: number,
  seconds: number,
  limits: CounterLimits,
): CounterStep {
  const { modulus, maxWatts, refreshSeconds, unit } = limits
  const difference = after - before
  const most = maxWatts * (seconds + refreshSeconds) + unit
  const fewest = difference >= 0 ? 0 : 1
  if (fewest === 1 && modulus === null) {
    return { fault: `the counter went back by ${joules(-difference)} (reset or driver reload)` }
  }
  const low = difference + fewest * (modulus ?? 0)
  if (low < 0) return { fault: `the counter went back by ${joules(-difference)}, more than its range` }
  if (low > most) {
    const watts = (low / Math.max(seconds, refreshSeconds)).toFixed(0)
    const what =
      fewest === 1
        ? `the counter went back by ${joules(-difference)} (reset): a wrap would mean`
        : `the counter jumped by ${joules(difference)}: that would mean`
    return { fault: `${what} ${watts} W, above the plausible ${maxWatts} W` }
  }
  const extra = modulus === null ? 0 : Math.floor((most - low) / modulus)
  return { low, high: low + extra * (modulus ?? 0), wraps: fewest }
}

function joules(value: number): string {
  return `${Number(value.toPrecision(3))} J`
}
