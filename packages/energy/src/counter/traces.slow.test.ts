import { expect, test } from 'vitest'
import { expectStratum, strata } from './__fixtures__/strata.js'

test('10,000 traces: in every stratum the truth lies within, and bounds are at most twice as wide as the least that always hold', () => {
  expect(strata).toHaveLength(20)
  for (const stratum of strata) {
    const { inside, widthOverLeast, width, error } = expectStratum(stratum, 500)
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
    console.log(
      `${stratum.sensor}, ${stratum.shape}: truth within ${percent(inside)}, median width ${widthOverLeast.toFixed(2)} of the least and ` +
        `${percent(width)} of the truth, median error ${percent(error)}`,
    )
  }
})
