import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher, QueueFullError } from '../index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Runs of a·n + b = n + 9 ms, up to 4 at a time, whose pace is learnt. */
async function pacedBatcher(
  options: { maxQueueMs?: number; maxQueueBytes?: number; bytes?: (n: number) => number } = {},
) {
  const served: number[][] = []
  const slowness = { ms: 0 }
  const batcher = new Batcher<number, number>({
    maxBatchSize: 4,
    ...options,
    run: async (inputs) => {
      served.push([...inputs])
      await new Promise((resolve) => setTimeout(resolve, inputs.length + 9 + slowness.ms))
      return inputs
    },
  })
  for (let round = 0; round < 12; round++) {
    for (let index = 0; index <= round % 4; index++) void batcher.submit(index)
    await vi.advanceTimersByTimeAsync(100)
  }
  served.length = 0
  return { batcher, served, slowness }
}

test('maxQueueMs refuses what would wait longer, and says when to come back', async () => {
  const { batcher } = await pacedBatcher({ maxQueueMs: 30 })
  const results = Promise.allSettled(Array.from({ length: 20 }, () => batcher.submit(1)))
  await vi.advanceTimersByTimeAsync(100)
  const refusals = (await results).flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
  expect(refusals.length).toBeGreaterThanOrEqual(4) // four run, then two full runs and a part of a third within 30 ms
  expect(refusals.length).toBeLessThanOrEqual(8)
  for (const refusal of refusals) {
    expect(refusal).toBeInstanceOf(QueueFullError)
    expect((refusal as QueueFullError).retryAfterMs).toBeGreaterThan(30)
  }
})

test('a deadline that the pace so far cannot keep is refused at once; one that it can is kept', async () => {
  const { batcher } = await pacedBatcher()
  const results = Promise.allSettled(Array.from({ length: 20 }, () => batcher.submit(1, { deadlineMs: 45 })))
  await vi.advanceTimersByTimeAsync(0)
  expect(batcher.stats().rejected).toBeGreaterThan(3)
  await vi.advanceTimersByTimeAsync(100)
  const codes = (await results).map((result) =>
    result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code,
  )
  expect(codes.filter((code) => code === 'ok').length).toBeGreaterThanOrEqual(8)
  expect(new Set(codes)).toEqual(new Set(['ok', 'ERR_BIO_QUEUE_FULL']))
})

test('an idle batcher accepts whatever the last run took', async () => {
  const { batcher } = await pacedBatcher()
  const result = expect(batcher.submit(1, { deadlineMs: 5 })).rejects.toMatchObject({
    code: 'ERR_BIO_DEADLINE',
  })
  await vi.advanceTimersByTimeAsync(20)
  await result
})

test('a run is no larger than lets its members meet their deadlines', async () => {
  const { batcher, served } = await pacedBatcher()
  void batcher.submit(0)
  await vi.advanceTimersByTimeAsync(1)
  const urgent = [1, 2].map((input) => batcher.submit(input, { deadlineMs: 22.5 }))
  void batcher.submit(3)
  void batcher.submit(4)
  await vi.advanceTimersByTimeAsync(100)
  expect(await Promise.all(urgent)).toEqual([1, 2])
  expect(served[1]!.length).toBeLessThan(4)
})

test('who will be too late anyway gives way to those who will not', async () => {
  for (const others of [[8, 9], []]) {
    const { batcher, served, slowness } = await pacedBatcher()
    slowness.ms = 30
    for (let input = 0; input < 4; input++) void batcher.submit(input) // a full run, which ends after 43 ms
    slowness.ms = 0
    const late = expect(batcher.submit(7, { deadlineMs: 45 })).rejects.toMatchObject({
      code: 'ERR_BIO_DEADLINE',
    })
    for (const input of others) void batcher.submit(input)
    await vi.advanceTimersByTimeAsync(100)
    await late
    expect(served.slice(1)).toEqual(others.length === 0 ? [[7]] : [others])
  }
})

test('bytes waiting are bounded, and given back', async () => {
  const { batcher } = await pacedBatcher({ maxQueueBytes: 100, bytes: (input) => input })
  void batcher.submit(1)
  await vi.advanceTimersByTimeAsync(0)
  const controller = new AbortController()
  const large = batcher.submit(90, { signal: controller.signal }).catch(String)
  await expect(batcher.submit(20)).rejects.toMatchObject({ code: 'ERR_BIO_QUEUE_FULL' })
  await expect(batcher.submit(101)).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  controller.abort('gone')
  expect(await large).toBe('gone')
  const small = batcher.submit(20)
  await vi.advanceTimersByTimeAsync(50)
  expect(await small).toBe(20)
})

test('at five times what it can do, it goes on doing nearly that, and keeps nearly every promise', async () => {
  const { batcher } = await pacedBatcher() // 4 per 13 ms
  const deadlineMs = 60
  const codes: Record<string, number> = {}
  const note = (code: string): void => void (codes[code] = (codes[code] ?? 0) + 1)
  const seconds = 4
  for (let ms = 0; ms < 1000 * seconds; ms += 13) {
    for (let arrival = 0; arrival < 20; arrival++)
      batcher.submit(1, { deadlineMs }).then(
        () => note('ok'),
        (error: { code: string }) => note(error.code),
      )
    await vi.advanceTimersByTimeAsync(13)
  }
  await vi.advanceTimersByTimeAsync(100)
  const capacity = (4 / 0.013) * seconds
  expect(codes['ok']).toBeGreaterThan(0.95 * capacity)
  expect(codes['ERR_BIO_DEADLINE'] ?? 0).toBeLessThan(0.02 * codes['ok']!)
})
