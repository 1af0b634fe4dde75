import { expect, test } from 'vitest'
import { trackByArticle } from './__fixtures__/article-tracker.js'
import { expectStratum, strata } from './__fixtures__/strata.js'

test.each(strata)(
  '$sensor, $shape: the truth within in 95 of 100 traces, and bounds at most twice as wide as the least that always hold',
  (stratum) => {
    const { wraps } = expectStratum(stratum, 30)
    if (stratum.sensor.startsWith('counter')) expect(wraps).toBeGreaterThan(0)
  },
)

// research/energy.md: 70 W idle, 600 W busy, average of 1 s every 100 ms, 50 iterations after 5 to warm up
test.each([
  [0.002, -0.87],
  [0.01, -0.66],
  [0.02, -0.4],
  [0.05, -0.11],
  [0.1, -0.02],
])(
  'on iterations of %d s one power value per synchronise is off by %d, and the bounds on the same trace hold the truth',
  (seconds, expected) => {
    const phases = Array.from({ length: 20 }, (_, index) => trackByArticle(seconds, (index + 0.5) / 20))
    const errors = phases.map(({ joules, truth }) => joules / truth - 1)
    expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length - expected)).toBeLessThan(
      0.03,
    )
    for (const { reading, truth } of phases) {
      expect(reading.low).toBeLessThanOrEqual(truth)
      expect(reading.high).toBeGreaterThanOrEqual(truth)
    }
  },
)
