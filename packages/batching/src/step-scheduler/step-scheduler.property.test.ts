import fc from 'fast-check'
import { expect, test } from 'vitest'
import { play, randomSchedule } from './__fixtures__/random-schedule.js'

test('whatever the batching, chunking, sharing and preemption: the tokens of each request alone, limits kept, no block leaked', async () => {
  const seen = { preemptions: 0, cachedTokens: 0, finished: 0, expired: 0, aborted: 0, rejected: 0 }
  await fc.assert(
    fc.asyncProperty(randomSchedule(80), async (schedule) => {
      const played = await play(schedule)
      expect(played.broken).toEqual([])
      for (const count of Object.keys(seen) as (keyof typeof seen)[]) seen[count] += played[count]
    }),
    { numRuns: 300 },
  )
  for (const [count, times] of Object.entries(seen)) expect(times, count).toBeGreaterThan(20)
})
