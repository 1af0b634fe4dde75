import { expect } from 'vitest'
import { signalShapes } from './power-signal.js'
import { randomTrace, sensors } from './traces.js'

/** What many traces of one sensor and one shape of signal came to. */
interface Stratum {
  /** The share whose truth lies within the bounds. */
  readonly inside: number
  /** The median of width over the least width. */
  readonly widthOverLeast: number
  /** Medians, over the truth. */
  readonly width: number
  readonly error: number
  /** Counter wraps within all windows. */
  readonly wraps: number
}

/** A sensor and a shape of signal. */
interface StratumName {
  readonly sensor: keyof typeof sensors
  readonly shape: (typeof signalShapes)[number]
}

export const strata: readonly StratumName[] = (Object.keys(sensors) as (keyof typeof sensors)[]).flatMap((sensor) =>
  signalShapes.map((shape) => ({ sensor, shape })),
)

/** Runs `count` traces of a stratum and holds them to what is promised: the truth within in 95 of 100, median width at most twice the least. */
export function expectStratum({ sensor, shape }: StratumName, count: number): Stratum {
  const traces = Array.from({ length: count }, (_, index) => {
    const { reading, truth, least } = randomTrace(sensor, shape, 7919 * index + 13)
    if (reading.joules === null) throw new Error(reading.reasons.join())
    const { joules, low, high } = reading
    // No bounds that always hold are narrower than the least: else the least is wrong, or the bounds do not always hold.
    expect(high - low).toBeGreaterThan(least * 0.999 - 1e-6)
    const inside = low <= truth + 1e-9 && truth <= high + 1e-9
    return { inside, joules, width: high - low, truth, least, wraps: reading.wraps }
  })
  const inside = traces.filter((trace) => trace.inside).length / count
  const widthOverLeast = median(traces.map(({ width, least }) => width / least))
  expect(inside).toBeGreaterThanOrEqual(0.95)
  expect(widthOverLeast).toBeLessThanOrEqual(2)
  return {
    inside,
    widthOverLeast,
    width: median(traces.map(({ width, truth }) => width / truth)),
    wraps: traces.reduce((sum, { wraps }) => sum + wraps, 0),
    error: median(traces.map(({ joules, truth }) => Math.abs(joules - truth) / truth)),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1]!
}
