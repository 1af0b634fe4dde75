import { expect, test, vi } from 'vitest'
import { generateAlone } from './__fixtures__/hash-engine.js'
import { prompt, setUp, turn } from './__fixtures__/set-up.js'

const expired = expect.objectContaining({ code: 'ERR_BIO_DEADLINE' })

test('what expires while it waits never runs', async () => {
  const { scheduler, engine, cache } = setUp({ maxSequences: 1 })
  const long = scheduler.submit({ prompt: prompt(3, 1), maxTokens: 200, sampling: 1 })
  const late = scheduler.submit({ prompt: prompt(3, 2), maxTokens: 2, sampling: 1, deadlineMs: 0 })
  await expect(late.result).rejects.toEqual(expired)
  await long.result
  expect(engine.seen).toEqual(new Set([long.id]))
  expect(scheduler.stats()).toMatchObject({ submitted: 2, finished: 1, expired: 1, failed: 0 })
  expect(cache.heldBlocks).toBe(0)
})

test('what expires while it runs ends with its tokens so far, in an engine that never yields', async () => {
  const { scheduler, cache } = setUp({ blocks: 10_000 })
  const request = { prompt: prompt(3, 1), maxTokens: 30_000, sampling: 1 }
  const generation = scheduler.submit({ ...request, deadlineMs: 500 })
  const tokens: number[] = []
  await expect(async () => {
    for await (const token of generation) tokens.push(token)
  }).rejects.toEqual(expired)
  await expect(generation.result).rejects.toEqual(expired)
  expect(tokens.length).toBeGreaterThan(0)
  expect(tokens).toEqual(generateAlone({ ...request, maxTokens: tokens.length }))
  expect(cache.heldBlocks).toBe(0)
})

test('a step that hangs keeps nobody waiting beyond the deadline; blocks go back when it returns', async () => {
  const steps: (() => void)[] = []
  const { scheduler, cache } = setUp({
    engine: (engine) => ({
      step: async (items) => {
        await new Promise<void>((resolve) => steps.push(resolve))
        return engine.step(items)
      },
    }),
  })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const request = { prompt: prompt(9, 1), maxTokens: 9, sampling: 1, deadlineMs: 1000 }
  const { result } = scheduler.submit(request)
  await turn()
  vi.advanceTimersByTime(1000)
  vi.useRealTimers()
  await expect(result).rejects.toEqual(expired)
  expect(cache.heldBlocks).toBe(3)
  steps[0]!()
  await turn()
  expect(cache.heldBlocks).toBe(0)
})

test('thousands of deadlines keep one timer, and none after drain', async () => {
  const timers = vi.spyOn(globalThis, 'setTimeout')
  const { scheduler, engine } = setUp({ maxQueue: 5000, blocks: 2000 })
  const generations = Array.from({ length: 4000 }, (_, client) =>
    scheduler.submit({ prompt: prompt(3, client), maxTokens: 1, sampling: 1, deadlineMs: 60_000 + client }),
  )
  const clears = vi.spyOn(globalThis, 'clearTimeout')
  await Promise.all(generations.map(({ result }) => result))
  expect(timers.mock.calls.filter(([, ms]) => ms! >= 50_000)).toHaveLength(1)
  await scheduler.drain()
  expect(clears).toHaveBeenCalledWith(timers.mock.results[0]!.value)
  expect(engine.broken).toEqual([])
  vi.restoreAllMocks()
})
