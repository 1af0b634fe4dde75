import fc from 'fast-check'
import { expect, test } from 'vitest'
import { play, randomSchedule } from './__fixtures__/random-schedule.js'

test('100,000 random events: the tokens of each request alone, limits kept, no block leaked', async () => {
  let events = 0
  for (let seed = 0; events < 100_000; seed++) {
    for (const schedule of fc.sample(randomSchedule(500), { seed, numRuns: 20 })) {
      const played = await play(schedule)
      expect(played.broken, `seed ${seed}`).toEqual([])
      events += played.events
    }
  }
})
