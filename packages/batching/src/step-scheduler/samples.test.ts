import { expect, test, vi } from 'vitest'
import { generateAlone } from './__fixtures__/hash-engine.js'
import { prompt, setUp } from './__fixtures__/set-up.js'

const samplings = [11, 12, 13, 14, 15]

test.each([1, 2, 4, 5, 10, 41])(
  'samples after a prompt of %i tokens compute it once, and are those of separate requests',
  async (length) => {
    const { scheduler, cache, engine } = setUp()
    const request = { prompt: prompt(length, 1), maxTokens: 12 }
    const samples = scheduler.sample({ ...request, samplings })
    const results = await Promise.all(samples.map(({ result }) => result))
    expect(results.map(({ tokens }) => tokens)).toEqual(
      samplings.map((sampling) => generateAlone({ ...request, sampling })),
    )
    expect(scheduler.stats()).toMatchObject({ submitted: 5, finished: 5, prefilledTokens: length + 4 })
    expect(results.map(({ cachedTokens }) => cachedTokens)).toEqual([
      0,
      ...Array.from({ length: 4 }, () => length - 1),
    ])
    expect(engine.broken).toEqual([])
    expect(engine.steps.length).toBeLessThanOrEqual(12 + 1)
    expect(cache.heldBlocks).toBe(0)
  },
)

test('a long prompt is computed once in chunks while the samples wait, also where a wait would not pay for itself', async () => {
  const { scheduler } = setUp({ maxTokensPerStep: 8, maxSequences: 8 })
  const samples = scheduler.sample({ prompt: prompt(41, 1), maxTokens: 3, samplings })
  await Promise.all(samples.map(({ result }) => result))
  expect(scheduler.stats().prefilledTokens).toBe(41 + 4)
})

test('without a fork they share whole blocks', async () => {
  const { scheduler } = setUp({ forks: false })
  const request = { prompt: prompt(10, 1), maxTokens: 12 }
  const samples = scheduler.sample({ ...request, samplings })
  const results = await Promise.all(samples.map(({ result }) => result))
  expect(results.map(({ tokens }) => tokens)).toEqual(
    samplings.map((sampling) => generateAlone({ ...request, sampling })),
  )
  expect(scheduler.stats().prefilledTokens).toBe(10 + 4 * 2)
})

test('they come out the same when the first is aborted, and when blocks run out', async () => {
  const { scheduler, cache } = setUp({ blocks: 12 })
  const request = { prompt: prompt(10, 1), maxTokens: 20 }
  const samples = scheduler.sample({ ...request, samplings })
  void samples[0]![Symbol.asyncIterator]().return!()
  const results = await Promise.all(samples.map(({ result }) => result))
  expect(results[0]!.finishReason).toBe('abort')
  expect(results.slice(1).map(({ tokens }) => tokens)).toEqual(
    samplings.slice(1).map((sampling) => generateAlone({ ...request, sampling })),
  )
  expect(scheduler.stats().preemptions).toBeGreaterThan(0)
  expect(cache.heldBlocks).toBe(0)
})

test('a fork that throws fails its sample only', async () => {
  const { scheduler, cache } = setUp()
  vi.spyOn(cache, 'fork').mockImplementationOnce(() => {
    throw new Error('bad fork')
  })
  const samples = scheduler.sample({ prompt: prompt(10, 1), maxTokens: 5, samplings })
  const results = await Promise.allSettled(samples.map(({ result }) => result))
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ])
  expect(results[1]).toMatchObject({ reason: { message: 'bad fork' } })
  expect(cache.heldBlocks).toBe(0)
})

test('all are accepted or none', async () => {
  const { scheduler } = setUp({ maxQueue: 6 })
  const request = { prompt: prompt(4, 1), maxTokens: 2 }
  scheduler.sample({ ...request, samplings: [1, 2, 3] })
  expect(() => scheduler.sample({ ...request, samplings: [1, 2, 3, 4] })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_QUEUE_FULL' }),
  )
  expect(scheduler.stats()).toMatchObject({ submitted: 3, rejected: 4, waiting: 3 })
  scheduler.sample({ ...request, samplings: [1, 2, 3] })
  await scheduler.drain()
  expect(scheduler.stats()).toMatchObject({ submitted: 6, finished: 6 })
})

test.each([[[]], [undefined], [3], [[1, 2, 3, 4, 5, 6, 7]]])(
  'samplings %j can never work with a queue of 6',
  (wrong) => {
    const { scheduler } = setUp({ maxQueue: 6 })
    const request = { prompt: prompt(4, 1), maxTokens: 2, samplings: wrong as number[] }
    expect(() => scheduler.sample(request)).toThrow(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
  },
)
