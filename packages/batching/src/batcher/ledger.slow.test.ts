import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { playWithWorkers } from './__fixtures__/play-with-workers.js'
import { play } from './__fixtures__/play.js'
import { randomSchedule } from './__fixtures__/random-schedule.js'

afterEach(() => {
  vi.useRealTimers()
})

test('100,000 schedules: every request settles once, for a reason that it had, and the ledger adds up', async () => {
  vi.useFakeTimers()
  for (let seed = 0; seed < 1000; seed++)
    for (const schedule of fc.sample(randomSchedule(60), { seed, numRuns: 100 })) {
      const { broken } = await play(schedule)
      expect(broken, `seed ${seed}: ${JSON.stringify(schedule)}`).toEqual([])
    }
}, 3_600_000)

test('300 schedules of real workers that are killed and replaced: every request settles once, and the healthy succeed', async () => {
  const codes = new Map<string, number>()
  for (let seed = 0; seed < 300; seed++) {
    const kind = seed % 4 === 0 ? 'process' : 'thread'
    expect(await playWithWorkers(seed, { kind, codes }), `seed ${seed}`).toEqual([])
  }
  for (const code of ['ERR_BIO_WORKER_CRASHED', 'ERR_BIO_RUN_TIMEOUT', 'ERR_BIO_CLOSED', 'ERR_BIO_DEADLINE'])
    expect(codes.get(code), code).toBeGreaterThan(0)
}, 3_600_000)
