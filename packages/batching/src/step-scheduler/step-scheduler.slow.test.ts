import fc from 'fast-check'
import { expect, test } from 'vitest'
import { play, randomSchedule } from './__fixtures__/random-schedule.js'

test.each([0, 1, 2, 3])(
  'quarter %i of 100,000 random sequences of events: the tokens of each request alone, limits kept, no block leaked',
  async (quarter) => {
    let [preemptions, expired] = [0, 0]
    for (let seed = 250 * quarter; seed < 250 * (quarter + 1); seed++) {
      for (const [index, schedule] of fc.sample(randomSchedule(32), { seed, numRuns: 100 }).entries()) {
        const played = await play(schedule)
        expect(played.broken, `seed ${seed}, ${index}`).toEqual([])
        preemptions += played.preemptions
        expired += played.expired
      }
    }
    expect(preemptions).toBeGreaterThan(1000)
    expect(expired).toBeGreaterThan(1000)
  },
)

test('long sequences, up to 2,000 events', async () => {
  for (const [index, schedule] of fc.sample(randomSchedule(2000), { seed: 1, numRuns: 50 }).entries())
    expect((await play(schedule)).broken, `${index}`).toEqual([])
})
