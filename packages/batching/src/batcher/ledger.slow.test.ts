import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { play } from './__fixtures__/play.js'
import { randomSchedule } from './__fixtures__/random-schedule.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('100,000 schedules: every request settles once, for a reason that it had, and the ledger adds up', async () => {
  for (let seed = 0; seed < 1000; seed++)
    for (const schedule of fc.sample(randomSchedule(60), { seed, numRuns: 100 })) {
      const { broken } = await play(schedule)
      expect(broken, `seed ${seed}: ${JSON.stringify(schedule)}`).toEqual([])
    }
}, 3_600_000)
