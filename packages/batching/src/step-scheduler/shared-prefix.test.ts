import { expect, test } from 'vitest'
import { generateAlone } from './__fixtures__/hash-engine.js'
import { prompt, setUp } from './__fixtures__/set-up.js'

/** A prompt of one's own after `shared` tokens that many have. */
function after(shared: number, own: number, client: number): Int32Array {
  return Int32Array.from([...prompt(shared, 7), ...prompt(own, 20 + client)])
}

test('who comes after a request with the same beginning waits for it, and computes the rest', async () => {
  const { scheduler } = setUp({ maxTokensPerStep: 32 })
  const first = scheduler.submit({ prompt: after(40, 3, 1), maxTokens: 2, sampling: 1 })
  const second = scheduler.submit({ prompt: after(40, 3, 2), maxTokens: 2, sampling: 2 })
  expect((await first.result).prefilledTokens).toBe(43)
  expect((await second.result).prefilledTokens).toBe(3)
})

test('who waits for a prefix holds nobody up', async () => {
  const { scheduler, engine } = setUp({ maxTokensPerStep: 64 })
  const prompts = [after(40, 3, 1), after(40, 3, 2), prompt(5, 30)]
  const ids = prompts.map((tokens) => scheduler.submit({ prompt: tokens, maxTokens: 2, sampling: 1 }).id)
  await scheduler.drain()
  expect(engine.steps[0]!.ids).toEqual([ids[0], ids[2]])
  expect(engine.steps[1]!.ids).toContain(ids[1])
})

test('a few common tokens are computed twice in the same step rather than waited for', async () => {
  const { scheduler, engine } = setUp({ blockTokens: 16, blocks: 20 })
  const [a, b] = [prompt(8, 1), Int32Array.from([...prompt(8, 1), 49])]
  const generations = [a, b].map((tokens) => scheduler.submit({ prompt: tokens, maxTokens: 2, sampling: 1 }))
  await Promise.all(generations.map(({ result }) => result))
  expect(engine.steps[0]!.ids).toEqual(generations.map(({ id }) => id))
  expect(scheduler.stats().prefilledTokens).toBe(8 + 9)
})

test.each([
  { maxTokens: 2, prefilled: 8 + 1, why: 'where there is no room to begin with all of them anyway' },
  { maxTokens: 1, prefilled: 8 + 9, why: 'unless whom they would wait for is gone by then' },
])('few common tokens are waited for $why', async ({ maxTokens, prefilled }) => {
  const { scheduler, engine } = setUp({ blockTokens: 16, blocks: 20, maxTokensPerStep: 10, maxSequences: 4 })
  const requests = [prompt(8, 1), Int32Array.from([...prompt(8, 1), 49])].map((tokens) => ({
    prompt: tokens,
    maxTokens,
    sampling: 1,
  }))
  const results = await Promise.all(requests.map((request) => scheduler.submit(request).result))
  expect(results.map(({ tokens }) => tokens)).toEqual(requests.map(generateAlone))
  expect(scheduler.stats().prefilledTokens).toBe(prefilled)
  expect(engine.steps.length).toBe(1 + maxTokens) // no more with the wait than without
})

test('the wait ends when the leader leaves', async () => {
  const { scheduler, engine } = setUp({ maxTokensPerStep: 32 })
  const first = scheduler.submit({ prompt: after(200, 3, 1), maxTokens: 2, sampling: 1 })
  const request = { prompt: after(200, 3, 2), maxTokens: 2, sampling: 2 }
  const second = scheduler.submit(request)
  while (engine.steps.length < 3) await new Promise(setImmediate)
  void first[Symbol.asyncIterator]().return!()
  const { tokens, cachedTokens } = await second.result
  expect(tokens).toEqual(generateAlone(request))
  expect(cachedTokens).toBeGreaterThan(0) // what the leader had computed is not lost
})
