import fc from 'fast-check'
import { expect, test } from 'vitest'
import { play, randomSchedule } from './__fixtures__/random-schedule.js'

test('whatever the batching, chunking, sharing and preemption: the tokens of each request alone, limits kept, no block leaked', async () => {
  let preemptions = 0
  let cachedTokens = 0
  await fc.assert(
    fc.asyncProperty(randomSchedule(80), async (schedule) => {
      const played = await play(schedule)
      expect(played.broken).toEqual([])
      preemptions += played.preemptions
      cachedTokens += played.cachedTokens
    }),
    { numRuns: 300 },
  )
  expect(preemptions).toBeGreaterThan(0)
  expect(cachedTokens).toBeGreaterThan(0)
})
