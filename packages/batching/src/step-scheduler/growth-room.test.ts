import { expect, test, vi } from 'vitest'
import { BlockSequence } from './__fixtures__/block-cache.js'
import { prompt, setUp } from './__fixtures__/set-up.js'
import { GrowthRoom } from './growth-room.js'

/** Far more requests than the cache has room for: tokens computed again, tokens that count, steps, and decodes per step. */
async function overload() {
  const { scheduler, engine } = setUp({ blocks: 48, maxSequences: 24, maxQueue: 200 })
  const generations = Array.from({ length: 150 }, (_, client) =>
    scheduler.submit({
      prompt: prompt(6 + (client % 7), client),
      maxTokens: 40 + (client % 11),
      sampling: client,
    }),
  )
  const results = await Promise.all(generations.map(({ result }) => result))
  let [recomputed, useful] = [0, 0]
  for (const { promptTokens, cachedTokens, prefilledTokens, tokens } of results) {
    recomputed += prefilledTokens - (promptTokens - cachedTokens)
    useful += promptTokens + tokens.length
  }
  expect(engine.broken).toEqual([])
  return { recomputed, useful, steps: engine.steps.length, preemptions: scheduler.stats().preemptions }
}

test('a cache far too small for its load computes less than an eighth again; without hysteresis, more than a quarter', async () => {
  const kept = await overload()
  vi.spyOn(GrowthRoom.prototype, 'widen').mockImplementation(() => {})
  const control = await overload()
  vi.restoreAllMocks()
  expect(control.useful).toBe(kept.useful)
  expect(control.recomputed / control.useful).toBeGreaterThan(1 / 4)
  expect(kept.recomputed / kept.useful).toBeLessThan(1 / 8)
  // and it is not bought by running next to nobody
  expect(kept.steps).toBeLessThan(1.6 * control.steps)
})

test('a cache that throws for the room of a running request fails that one, and admits the next', async () => {
  const { scheduler, cache, engine } = setUp()
  const first = scheduler.submit({ prompt: prompt(6, 1), maxTokens: 9, sampling: 1 })
  await first[Symbol.asyncIterator]().next()
  const second = scheduler.submit({ prompt: prompt(6, 2), maxTokens: 9, sampling: 1 })
  const reserve = vi.spyOn(BlockSequence.prototype, 'reserve').mockImplementation(function (
    this: BlockSequence,
    tokens,
  ) {
    if (tokens === 1) return true
    reserve.mockRestore()
    throw new Error('bad reserve')
  })
  await expect(first.result).rejects.toThrow('bad reserve')
  expect((await second.result).finishReason).toBe('length')
  expect(engine.broken).toEqual([])
  expect(cache.heldBlocks).toBe(0)
})
