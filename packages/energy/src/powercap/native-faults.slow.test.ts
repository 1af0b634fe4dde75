import { expect, test } from 'vitest'
import { sampleFiles } from '../sampler/native-sampler.js'
import { playableFaults, playFault } from './__fixtures__/play-fault.js'

const sampler = await sampleFiles(['/dev/null'], 1)
sampler?.close()
if (sampler === undefined) console.log('skipped: no native sampler')
const faults = playableFaults()

test('there are faults of every kind', () => {
  expect(faults.length).toBeGreaterThanOrEqual(40)
})

test.skipIf(sampler === undefined).each(faults.map(({ fault, known }) => [fault, known] as const))(
  '%s: a value within its bounds, or none and the reason',
  async (fault, known) => {
    const { reading, least, most } = await playFault(fault)
    if (known)
      expect(reading.reasons.join(), 'what the counters still tell is read').not.toMatch(/stood still/)
    if (known) expect(reading.joules).not.toBeNull()
    if (reading.joules === null) return expect(reading.reasons.join()).toMatch(/\w{3}/)
    expect(reading.low).toBeLessThanOrEqual(most)
    expect(reading.high).toBeGreaterThanOrEqual(least)
  },
)
