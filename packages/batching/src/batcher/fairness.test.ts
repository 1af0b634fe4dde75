import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher } from '../index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

interface Request {
  readonly name: string
  readonly cost?: number
}

/** A batcher of runs that take 10 ms, kept busy by a first request until the test's requests wait. */
function busyBatcher(options: Partial<ConstructorParameters<typeof Batcher<Request, string>>[0]> = {}) {
  const served: string[][] = []
  const batcher = new Batcher<Request, string>({
    maxBatchSize: 1,
    ...options,
    workers: undefined,
    run: async (requests) => {
      served.push(requests.map(({ name }) => name))
      await new Promise((resolve) => setTimeout(resolve, 10))
      return requests.map(({ name }) => name)
    },
  })
  void batcher.submit({ name: 'first' })
  return { batcher, served }
}

test('tenants take turns, however much one of them sends', async () => {
  const { batcher, served } = busyBatcher()
  for (let index = 0; index < 6; index++) void batcher.submit({ name: 'noisy' }, { tenant: 'noisy' })
  for (let index = 0; index < 2; index++) void batcher.submit({ name: 'quiet' }, { tenant: 'quiet' })
  await vi.advanceTimersByTimeAsync(200)
  expect(served.slice(1).flat().join(' ')).toBe('noisy quiet noisy quiet noisy noisy noisy noisy')
})

test('a tenant of weight 3 gets three times the cost of one of weight 1', async () => {
  const weight = (tenant: string): number => (tenant === 'large' ? 3 : 1)
  const { batcher, served } = busyBatcher({ weight, cost: ({ cost = 1 }) => cost })
  for (let index = 0; index < 40; index++) {
    void batcher.submit({ name: 'large', cost: 2 }, { tenant: 'large' })
    void batcher.submit({ name: 'small', cost: 1 }, { tenant: 'small' })
  }
  await vi.advanceTimersByTimeAsync(400)
  const half = served.slice(1, 31).flat()
  const cost = (name: string, each: number): number => each * half.filter((one) => one === name).length
  expect(cost('large', 2) / cost('small', 1)).toBeCloseTo(3, 0)
})

test('a tenant that paused has saved up nothing', async () => {
  const { batcher, served } = busyBatcher()
  for (let index = 0; index < 20; index++) void batcher.submit({ name: 'a' }, { tenant: 'a' })
  await vi.advanceTimersByTimeAsync(100)
  for (let index = 0; index < 5; index++) void batcher.submit({ name: 'b' }, { tenant: 'b' })
  await vi.advanceTimersByTimeAsync(300)
  expect(
    served
      .slice(11, 19)
      .flat()
      .filter((name) => name === 'b'),
  ).toHaveLength(4)
})

test('a full queue of one tenant does not shut out another', async () => {
  const { batcher } = busyBatcher({ maxQueue: 8 })
  const noisy = Array.from({ length: 8 }, () => batcher.submit({ name: 'noisy' }, { tenant: 'noisy' }))
  const quiet = batcher.submit({ name: 'quiet' }, { tenant: 'quiet' })
  const results = Promise.allSettled(noisy)
  await vi.advanceTimersByTimeAsync(200)
  expect(await quiet).toBe('quiet')
  expect((await results).filter(({ status }) => status === 'fulfilled')).toHaveLength(4)
})

test('what a noisy tenant adds at most doubles the run of a light one, and only where it would fill the run', async () => {
  const served: string[][] = []
  const batcher = new Batcher<string, string>({
    maxBatchSize: 8,
    run: async (names) => {
      served.push([...names])
      await new Promise((resolve) => setTimeout(resolve, 10 + 10 * names.length))
      return names
    },
  })
  for (let size = 1; size <= 8; size++) {
    for (let index = 0; index < size; index++) void batcher.submit('learn')
    await vi.advanceTimersByTimeAsync(200)
  }
  const play = async (noisy: number): Promise<string[]> => {
    served.length = 0
    for (let index = 0; index < 8; index++) void batcher.submit('a full run, which starts at once')
    for (let index = 0; index < noisy; index++) void batcher.submit('noisy', { tenant: 'noisy' })
    void batcher.submit('quiet', { tenant: 'quiet', deadlineMs: 10_000 })
    await vi.advanceTimersByTimeAsync(1000)
    return served.map((names) => `${names.length}${names.includes('quiet') ? ' with quiet' : ''}`)
  }
  expect(await play(16)).toEqual(['8', '3 with quiet', '8', '6']) // 20 ms alone, so 40 at most
  expect(await play(6)).toEqual(['8', '7 with quiet'])
})

test('a priority goes first within its tenant, and gains nothing over another tenant', async () => {
  const { batcher, served } = busyBatcher()
  for (const name of ['a1', 'a2']) void batcher.submit({ name }, { tenant: 'a' })
  void batcher.submit({ name: 'a3!' }, { tenant: 'a', priority: 1 })
  for (const name of ['b1', 'b2', 'b3']) void batcher.submit({ name }, { tenant: 'b' })
  await vi.advanceTimersByTimeAsync(200)
  expect(served.slice(1).flat().join(' ')).toBe('a3! b1 a1 b2 a2 b3')
})

test('a level of priority is worth ageingMs of waiting, so that nobody waits for ever', async () => {
  const { batcher, served } = busyBatcher({ ageingMs: 50 })
  void batcher.submit({ name: 'old' })
  const important = setInterval(() => void batcher.submit({ name: '!' }, { priority: 1 }), 9)
  await vi.advanceTimersByTimeAsync(200)
  clearInterval(important)
  await vi.advanceTimersByTimeAsync(1000)
  const place = served.flat().indexOf('old')
  expect(place).toBeGreaterThan(2)
  expect(place).toBeLessThan(9)
})

test('only requests of one bucket share a run, and every bucket gets its turn', async () => {
  const { batcher, served } = busyBatcher({ maxBatchSize: 4, bucket: ({ name }) => name[0]! })
  for (const name of ['a1', 'b1', 'a2', 'b2', 'a3']) void batcher.submit({ name })
  await vi.advanceTimersByTimeAsync(200)
  expect(served).toEqual([['first'], ['a1', 'a2', 'a3'], ['b1', 'b2']])
})

test('a priority goes first across buckets too', async () => {
  const { batcher, served } = busyBatcher({ maxBatchSize: 4, bucket: ({ name }) => name[0]! })
  await vi.advanceTimersByTimeAsync(1)
  void batcher.submit({ name: 'a1' })
  void batcher.submit({ name: 'b1!' }, { priority: 1 })
  await vi.advanceTimersByTimeAsync(200)
  expect(served).toEqual([['first'], ['b1!'], ['a1']])
})

test('a request whose bucket cannot be told is refused alone', async () => {
  const { batcher, served } = busyBatcher({
    maxBatchSize: 4,
    bucket: ({ name }) => {
      if (name === 'odd') throw new TypeError('a shape of its own')
      return 0
    },
  })
  const odd = expect(batcher.submit({ name: 'odd' })).rejects.toThrow('a shape of its own')
  void batcher.submit({ name: 'even' })
  await odd
  await vi.advanceTimersByTimeAsync(20)
  expect(served).toEqual([['first', 'even']])
})

test('maxBatchCost bounds a run; what is above it alone is refused', async () => {
  const { batcher, served } = busyBatcher({ maxBatchSize: 8, maxBatchCost: 10, cost: ({ cost = 1 }) => cost })
  await expect(batcher.submit({ name: 'huge', cost: 11 })).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  await expect(batcher.submit({ name: 'odd', cost: Number.NaN })).rejects.toMatchObject({
    code: 'ERR_BIO_CONFIG',
  })
  await vi.advanceTimersByTimeAsync(1)
  for (const cost of [4, 5, 6, 4]) void batcher.submit({ name: String(cost), cost })
  await vi.advanceTimersByTimeAsync(200)
  expect(served).toEqual([['first'], ['4', '5'], ['6', '4']])
})
