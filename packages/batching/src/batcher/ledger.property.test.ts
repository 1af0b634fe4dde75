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

test('whatever happens, every request settles once, for a reason that it had, and the ledger adds up', async () => {
  const seen = new Set<string>()
  let bisections = 0
  await fc.assert(
    fc.asyncProperty(randomSchedule(60), async (schedule) => {
      const { broken, codes, stats } = await play(schedule)
      expect(broken).toEqual([])
      for (const code of Object.keys(codes)) seen.add(code)
      bisections += stats.bisections
    }),
    { numRuns: 500 },
  )
  expect(bisections).toBeGreaterThan(0)
  expect([...seen]).toEqual(expect.arrayContaining(everyCode))
})

const everyCode = [
  'aborted',
  'accident',
  'item',
  'poison',
  'ERR_BIO_CLOSED',
  'ERR_BIO_DEADLINE',
  'ERR_BIO_NAN',
  'ERR_BIO_OUTPUT_COUNT',
  'ERR_BIO_QUARANTINED',
  'ERR_BIO_QUEUE_FULL',
  'ERR_BIO_RUN_TIMEOUT',
  'ERR_BIO_WORKER_CRASHED',
  'ERR_BIO_WORKER_START',
]
