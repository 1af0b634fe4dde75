import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { QueueFullError } from '../queue-full-error.js'
import { generateAlone } from './__fixtures__/hash-engine.js'
import { prompt, setUp, turn } from './__fixtures__/set-up.js'

const badStop = (): boolean => {
  throw new Error('bad stop')
}

test('tokens stream as they come, and the result holds them all', async () => {
  const { scheduler, cache } = setUp()
  const request = { prompt: prompt(9, 1), maxTokens: 12, sampling: 7 }
  const generation = scheduler.submit(request)
  const streamed: number[] = []
  for await (const token of generation) streamed.push(token)
  expect(streamed).toEqual(generateAlone(request))
  const result = await generation.result
  expect(result).toMatchObject({
    tokens: streamed,
    finishReason: 'length',
    promptTokens: 9,
    cachedTokens: 0,
    prefilledTokens: 9,
    preemptions: 0,
  })
  expect(result.ttftMs).toBeLessThanOrEqual(result.durationMs)
  expect(cache.heldBlocks).toBe(0)
})

const upTo32 = Array.from({ length: 31 }, (_, index) => index + 2)

test.each(upTo32)(
  '%i equal requests decode in phase: no step more than ideal, none half empty',
  async (clients) => {
    const { scheduler, engine } = setUp({ maxTokensPerStep: 512, maxSequences: clients, blocks: 1000 })
    const generations = Array.from({ length: clients }, (_, client) =>
      scheduler.submit({ prompt: prompt(10, client), maxTokens: 24, sampling: 1 }),
    )
    await Promise.all(generations.map(({ result }) => result))
    expect(engine.steps.length).toBe(24)
    expect(scheduler.stats().occupancy).toBeGreaterThanOrEqual(0.98)
    expect(engine.broken).toEqual([])
  },
)

test.each(upTo32)(
  '%i requests of one prompt: steps ≤ ideal + 1, and the prompt computed once',
  async (clients) => {
    const { scheduler, engine } = setUp({ maxTokensPerStep: 512, maxSequences: clients, blocks: 1000 })
    const generations = Array.from({ length: clients }, (_, client) =>
      scheduler.submit({ prompt: prompt(10, 1), maxTokens: 64, sampling: client }),
    )
    await Promise.all(generations.map(({ result }) => result))
    expect(engine.steps.length).toBeLessThanOrEqual(64 + 1)
    expect(scheduler.stats().occupancy).toBeGreaterThanOrEqual(0.98)
    expect(scheduler.stats().prefilledTokens).toBe(10 + clients - 1)
    expect(engine.broken).toEqual([])
  },
)

test('16 clients that share a long prompt prefill it once', async () => {
  const blockTokens = 4
  const { scheduler, engine } = setUp({ blocks: 400, blockTokens, maxTokensPerStep: 32 })
  const system = prompt(202, 3)
  const requests = Array.from({ length: 16 }, (_, client) => ({
    prompt: Int32Array.from([...system, ...prompt(5, 50 + client)]),
    maxTokens: 8,
    sampling: client,
  }))
  const generations = requests.map((request) => scheduler.submit(request))
  const results = await Promise.all(generations.map(({ result }) => result))
  const prefilled = results.reduce((sum, result) => sum + result.prefilledTokens, 0)
  expect(prefilled).toBeLessThanOrEqual(202 + 16 * 5 + 16 * blockTokens)
  expect(scheduler.stats()).toMatchObject({
    prefilledTokens: prefilled,
    cachedTokens: 15 * 200,
    preemptions: 0,
  })
  expect(results.map(({ tokens }) => tokens)).toEqual(requests.map(generateAlone))
  // no step went to waste either: as many as the tokens need, and one for the others to begin in
  expect(engine.steps.length).toBeLessThanOrEqual(Math.ceil((202 + 16 * 5) / 32) + 8 + 2)
})

test('prefixes are shared within a scope only, and nobody waits for another scope', async () => {
  const { scheduler, engine } = setUp()
  const request = { prompt: prompt(12, 1), maxTokens: 1, sampling: 1 }
  const results = ['a', 'b'].map((scope) => scheduler.submit({ ...request, scope }).result)
  expect((await Promise.all(results)).map(({ prefilledTokens }) => prefilledTokens)).toEqual([12, 12])
  expect(engine.steps.length).toBe(1)
  expect((await scheduler.submit({ ...request, scope: 'c' }).result).cachedTokens).toBe(0)
  expect((await scheduler.submit({ ...request, scope: 'a' }).result).cachedTokens).toBe(8)
})

test('a long prompt is prefilled in chunks while the others go on decoding in every step', async () => {
  const { scheduler, engine } = setUp({ maxTokensPerStep: 8, maxSequences: 4 })
  const short = scheduler.submit({ prompt: prompt(4, 1), maxTokens: 20, sampling: 1 })
  await short[Symbol.asyncIterator]().next()
  const long = scheduler.submit({ prompt: prompt(60, 2), maxTokens: 2, sampling: 2 })
  await Promise.all([short.result, long.result])
  const mixed = engine.steps.filter(({ ids }) => ids.includes(long.id) && ids.includes(short.id))
  expect(mixed.length).toBeGreaterThanOrEqual(9)
  for (const step of mixed) expect(step.ids[0]).toBe(short.id) // decodes first
  expect(engine.steps.filter(({ ids }) => ids.includes(short.id))).toHaveLength(20)
})

test('out of blocks the latest gives way, and no output changes', async () => {
  const { scheduler, engine, cache } = setUp({ blocks: 14, maxSequences: 8 })
  const requests = Array.from({ length: 6 }, (_, client) => ({
    prompt: prompt(7, client),
    maxTokens: 30,
    sampling: client,
  }))
  const results = await Promise.all(requests.map((request) => scheduler.submit(request).result))
  expect(results.map(({ tokens }) => tokens)).toEqual(requests.map(generateAlone))
  expect(scheduler.stats().preemptions).toBeGreaterThan(0)
  expect(results[0]!.preemptions).toBe(0) // the oldest never does
  expect(engine.broken).toEqual([])
  expect(cache.heldBlocks).toBe(0)
})

test('a prompt that can never fit fails clearly, and the next request runs', async () => {
  const { scheduler, cache } = setUp({ blocks: 4 })
  const huge = scheduler.submit({ prompt: prompt(17, 1), maxTokens: 1, sampling: 1 })
  const small = scheduler.submit({ prompt: prompt(5, 2), maxTokens: 2, sampling: 1 })
  await expect(huge.result).rejects.toMatchObject({ code: 'ERR_BIO_CACHE_FULL' })
  expect((await small.result).tokens).toHaveLength(2)
  expect(cache.heldBlocks).toBe(0)
})

test('a generation that outgrows the whole cache fails after its last token, and leaves nothing behind', async () => {
  const { scheduler, cache } = setUp({ blocks: 2 })
  const generation = scheduler.submit({ prompt: prompt(5, 1), maxTokens: 100, sampling: 1 })
  const tokens: number[] = []
  await expect(async () => {
    for await (const token of generation) tokens.push(token)
  }).rejects.toMatchObject({ code: 'ERR_BIO_CACHE_FULL' })
  expect(tokens).toHaveLength(4) // positions 5, 6, 7 hold three of them; the fourth has no place
  expect(cache.heldBlocks).toBe(0)
})

test('nobody overtakes an older request for being small', async () => {
  const { scheduler, engine } = setUp({ blocks: 6 })
  const lengths = [9, 16, 2]
  const generations = lengths.map((length, client) =>
    scheduler.submit({ prompt: prompt(length, client), maxTokens: 4, sampling: 1 }),
  )
  await Promise.all(generations.map(({ result }) => result))
  const firstStep = (id: number): number => engine.steps.findIndex(({ ids }) => ids.includes(id))
  expect(firstStep(0)).toBe(0)
  expect(firstStep(1)).toBe(4) // 4 blocks and one to grow are free when the first has ended
  expect(firstStep(2)).toBeGreaterThanOrEqual(4)
})

test('a request without room is not asked for again until somebody leaves', async () => {
  const { scheduler, cache } = setUp({ blocks: 6 })
  const open = vi.spyOn(cache, 'open')
  const generations = [9, 16].map((length, client) =>
    scheduler.submit({ prompt: prompt(length, client), maxTokens: 9, sampling: 1 }),
  )
  await Promise.all(generations.map(({ result }) => result))
  expect(open).toHaveBeenCalledTimes(3) // the first, the second in vain, the second
})

test('stop tokens and stop conditions end a generation with their token', async () => {
  const { scheduler } = setUp()
  const request = { prompt: prompt(5, 1), maxTokens: 30, sampling: 3 }
  const alone = generateAlone(request)
  const byToken = await scheduler.submit({ ...request, stopTokens: [alone[4]!] }).result
  const byCondition = await scheduler.submit({ ...request, stop: (tokens) => tokens.length === 3 }).result
  expect(byToken).toMatchObject({
    finishReason: 'stop',
    tokens: alone.slice(0, alone.indexOf(alone[4]!) + 1),
  })
  expect(byCondition).toMatchObject({ finishReason: 'stop', tokens: alone.slice(0, 3) })
})

test('an abort ends the generation at once and frees its blocks within one step', async () => {
  const steps: (() => void)[] = []
  const { scheduler, cache } = setUp({
    engine: (engine) => ({
      step: async (items) => {
        await new Promise<void>((resolve) => steps.push(resolve))
        return engine.step(items)
      },
    }),
  })
  const controller = new AbortController()
  const aborted = scheduler.submit({
    prompt: prompt(9, 1),
    maxTokens: 9,
    sampling: 1,
    signal: controller.signal,
  })
  const other = scheduler.submit({ prompt: prompt(3, 2), maxTokens: 2, sampling: 1 })
  await turn()
  expect(cache.heldBlocks).toBe(3 + 1 + 1) // one to grow, since there is company
  controller.abort()
  expect(await aborted.result).toMatchObject({ finishReason: 'abort', tokens: [], ttftMs: null })
  expect(cache.heldBlocks).toBe(5) // the engine may still be writing them
  steps[0]!()
  await turn()
  expect(cache.heldBlocks).toBe(1)
  await turn()
  steps[1]!()
  expect((await other.result).tokens).toHaveLength(2)
})

test('an engine that never yields does not keep an abort from being heard', async () => {
  const { scheduler } = setUp({ blocks: 1000 })
  const controller = new AbortController()
  const { result } = scheduler.submit({
    prompt: prompt(9, 1),
    maxTokens: 3000,
    sampling: 1,
    signal: controller.signal,
  })
  setTimeout(() => controller.abort(), 2)
  expect((await result).finishReason).toBe('abort')
})

test('an ended generation leaves no listener on its signal', async () => {
  const { scheduler } = setUp()
  const { signal } = new AbortController()
  await scheduler.submit({ prompt: prompt(9, 1), maxTokens: 3, sampling: 1, signal }).result
  await turn()
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('the signal of a step aborts only when nobody waits for any of its requests', async () => {
  const signals: AbortSignal[] = []
  const { scheduler } = setUp({
    engine: () => ({
      step: (_, { signal }) => {
        signals.push(signal)
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason)),
        )
      },
    }),
  })
  const controllers = [new AbortController(), new AbortController()]
  const generations = controllers.map(({ signal }, client) =>
    scheduler.submit({ prompt: prompt(3, client), maxTokens: 5, sampling: 1, signal }),
  )
  await turn()
  controllers[0]!.abort()
  expect(signals[0]!.aborted).toBe(false)
  controllers[1]!.abort()
  expect(signals[0]!.aborted).toBe(true)
  for (const { result } of generations) expect((await result).finishReason).toBe('abort')
  await scheduler.drain()
})

test('leaving the loop early aborts the generation, also while it waits', async () => {
  const { scheduler, cache } = setUp({ maxSequences: 1, maxTokensPerStep: 8 })
  const first = scheduler.submit({ prompt: prompt(3, 1), maxTokens: 1000, sampling: 1 })
  const second = scheduler.submit({ prompt: prompt(3, 2), maxTokens: 1000, sampling: 1 })
  const waiting = second[Symbol.asyncIterator]()
  const next = waiting.next()
  await waiting.return!()
  expect(await next).toEqual({ done: true, value: undefined })
  for await (const _ of first) break
  expect(await first.result).toMatchObject({ finishReason: 'abort' })
  expect(await second.result).toMatchObject({ finishReason: 'abort', tokens: [], queueMs: null })
  await scheduler.drain()
  expect(cache.heldBlocks).toBe(0)
})

test('an engine error fails the requests of that step only', async () => {
  let calls = 0
  const { scheduler, cache } = setUp({
    maxSequences: 2,
    engine: (engine) => ({
      step: (items) => {
        calls += 1
        if (calls === 2) throw new Error('step 2')
        return engine.step(items)
      },
    }),
  })
  const requests = [1, 2, 3].map((client) => ({ prompt: prompt(6, client), maxTokens: 4, sampling: 1 }))
  const results = await Promise.allSettled(requests.map((request) => scheduler.submit(request).result))
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
  expect(results[0]).toMatchObject({ reason: { message: 'step 2' } })
  expect(results[2]).toMatchObject({ value: { tokens: generateAlone(requests[2]!) } })
  expect(cache.heldBlocks).toBe(0)
})

test.each([
  [[], 'ERR_BIO_OUTPUT_COUNT'],
  [[1, 2], 'ERR_BIO_OUTPUT_COUNT'],
  [undefined, 'ERR_BIO_OUTPUT_COUNT'],
  [[Number.NaN], 'ERR_BIO_VALUE'],
  [[-1], 'ERR_BIO_VALUE'],
  [[2 ** 31], 'ERR_BIO_VALUE'],
])('an engine that returns %j for one item is a named error', async (outputs, code) => {
  const { scheduler, cache } = setUp({ engine: () => ({ step: () => outputs as number[] }) })
  const { result } = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 4, sampling: 1 })
  await expect(result).rejects.toMatchObject({ code })
  expect(cache.heldBlocks).toBe(0)
})

test('a stop condition that throws fails its request only', async () => {
  const { scheduler } = setUp()
  const bad = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 4, sampling: 1, stop: badStop })
  const good = scheduler.submit({ prompt: prompt(6, 2), maxTokens: 4, sampling: 1 })
  await expect(bad.result).rejects.toThrow('bad stop')
  expect((await good.result).finishReason).toBe('length')
})

test.each([1, 'yes', {}, Promise.resolve(false)])(
  'a stop condition that returns %s and no boolean is named',
  async (answer) => {
    const { scheduler } = setUp()
    const stop = (() => answer) as unknown as () => boolean
    const { result } = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 4, sampling: 1, stop })
    await expect(result).rejects.toMatchObject({ code: 'ERR_BIO_VALUE', operation: 'stop' })
  },
)

test('a stop condition that aborts its own request ends it once', async () => {
  const { scheduler, cache } = setUp()
  const controller = new AbortController()
  const stop = (): boolean => {
    controller.abort()
    return true
  }
  const { signal } = controller
  const { result } = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 4, sampling: 1, stop, signal })
  expect((await result).finishReason).toBe('abort')
  expect(scheduler.stats()).toMatchObject({ submitted: 1, aborted: 1, finished: 0 })
  expect(cache.heldBlocks).toBe(0)
})

test('a cache that throws fails the request it throws for', async () => {
  const { scheduler, cache } = setUp()
  vi.spyOn(cache, 'open').mockImplementationOnce(() => {
    throw new Error('bad open')
  })
  const bad = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 4, sampling: 1 })
  const good = scheduler.submit({ prompt: prompt(6, 2), maxTokens: 4, sampling: 1 })
  await expect(bad.result).rejects.toThrow('bad open')
  expect((await good.result).finishReason).toBe('length')
})

test('a full queue refuses with an estimate', async () => {
  const { scheduler } = setUp({ maxQueue: 2 })
  const request = { prompt: prompt(6, 1), maxTokens: 4, sampling: 1 }
  const accepted = [scheduler.submit(request), scheduler.submit(request)]
  expect(() => scheduler.submit(request)).toThrow(QueueFullError)
  expect(() => scheduler.submit(request)).toThrow(expect.objectContaining({ retryAfterMs: 1 }))
  await Promise.all(accepted.map(({ result }) => result))
  expect(scheduler.stats()).toMatchObject({ submitted: 2, finished: 2, rejected: 2, waiting: 0, running: 0 })
})

test('drain finishes what was accepted and refuses newcomers', async () => {
  const { scheduler, cache } = setUp()
  const request = { prompt: prompt(6, 1), maxTokens: 14, sampling: 1 }
  const generation = scheduler.submit(request)
  const draining = scheduler.drain()
  expect(() => scheduler.submit(request)).toThrow(expect.objectContaining({ code: 'ERR_BIO_CLOSED' }))
  await draining
  expect((await generation.result).tokens).toHaveLength(14)
  expect(cache.heldBlocks).toBe(0)
})

test('a drain that gives up settles what hangs and what waits', async () => {
  const { scheduler } = setUp({ maxSequences: 1, engine: () => ({ step: () => new Promise(() => {}) }) })
  const request = { prompt: prompt(6, 1), maxTokens: 14, sampling: 1 }
  const generations = [scheduler.submit(request), scheduler.submit(request)]
  await turn()
  await scheduler.drain({ timeoutMs: 5 })
  for (const { result } of generations) await expect(result).rejects.toMatchObject({ code: 'ERR_BIO_CLOSED' })
  expect(scheduler.stats()).toMatchObject({ failed: 2, waiting: 0, running: 0 })
})

test('a request that comes aborted ends at once and takes nothing', async () => {
  const { scheduler, engine } = setUp()
  const generation = scheduler.submit({
    prompt: prompt(6, 1),
    maxTokens: 14,
    sampling: 1,
    signal: AbortSignal.abort(),
  })
  expect((await generation.result).finishReason).toBe('abort')
  await scheduler.drain()
  expect(engine.steps).toEqual([])
})

test.each([
  { prompt: new Int32Array(0) },
  { prompt: [1, 2] as unknown as Int32Array },
  { maxTokens: 0 },
  { maxTokens: 1.5 },
  { maxTokens: Number.NaN },
  { stop: 3 as unknown as () => boolean },
  { stopTokens: 3 as unknown as number[] },
  { priority: Number.NaN },
  { priority: Infinity },
  { deadlineMs: -1 },
  { deadlineMs: Number.NaN },
  { deadlineMs: 2 ** 31 },
  { tenant: 3 as unknown as string },
  { signal: {} as AbortSignal },
])('the request %j is refused at submit', (wrong) => {
  const { scheduler } = setUp()
  expect(() => scheduler.submit({ prompt: prompt(3, 1), maxTokens: 1, sampling: 1, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})

test.each([
  { maxSequences: 0 },
  { maxTokensPerStep: 31 },
  { maxQueue: 0 },
  { blockTokens: 0 },
  { ageingMs: Number.NaN },
  { ageingMs: -1 },
  { weight: 2 as unknown as () => number },
])('the option %j is refused', (wrong) => {
  expect(() => setUp(wrong)).toThrow(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
})
