import { expect, test } from 'vitest'
import { prompt, setUp, turn } from './__fixtures__/set-up.js'

/** The requests in the order in which they were first in a step. */
function order(steps: readonly { readonly ids: readonly number[] }[]): number[] {
  return [...new Set(steps.flatMap(({ ids }) => ids))]
}

test('higher priorities go first, equal ones by arrival', async () => {
  const { scheduler, engine } = setUp({ maxSequences: 1 })
  const generations = [0, 2, -1, 2, 0].map((priority, client) =>
    scheduler.submit({ prompt: prompt(3, client), maxTokens: 2, sampling: 1, priority }),
  )
  await Promise.all(generations.map(({ result }) => result))
  expect(order(engine.steps)).toEqual([1, 3, 0, 4, 2])
})

test('a level of priority is worth ageingMs of waiting, so that an endless stream of high ones starves nobody', async () => {
  const { scheduler, engine } = setUp({ maxSequences: 1, ageingMs: 1 })
  const request = { prompt: prompt(3, 1), maxTokens: 5, sampling: 1 }
  const flood = (): void => {
    while (scheduler.stats().waiting < 10) scheduler.submit({ ...request, priority: 20 })
  }
  flood()
  const old = scheduler.submit(request)
  for (let turns = 0; !engine.seen.has(old.id); turns++) {
    if (turns === 100_000) throw new Error('starved')
    flood()
    await turn()
  }
  expect(order(engine.steps).indexOf(old.id)).toBeGreaterThanOrEqual(10) // those before it
  await scheduler.drain()
})

test('out of blocks the lowest priority gives way', async () => {
  const { scheduler } = setUp({ blocks: 14, maxSequences: 8 })
  const generations = [0, 0, 0, 9, 0, 0].map((priority, client) =>
    scheduler.submit({ prompt: prompt(7, client), maxTokens: 30, sampling: client, priority }),
  )
  const results = await Promise.all(generations.map(({ result }) => result))
  expect(scheduler.stats().preemptions).toBeGreaterThan(0)
  expect(results[3]!.preemptions).toBe(0)
})

test('tenants are served the same number of tokens while both wait, however many requests they have and however long', async () => {
  const { scheduler, engine } = setUp({ maxSequences: 4, maxTokensPerStep: 32, maxQueue: 1000, blocks: 1000 })
  const submit = (tenant: string, length: number, client: number, maxTokens: number) =>
    scheduler.submit({ prompt: prompt(length, client), maxTokens, sampling: client, tenant })
  const long = Array.from({ length: 100 }, (_, client) => submit('long', 20, client, 10).id)
  const short = Array.from({ length: 300 }, (_, client) => submit('short', 4, client, 5).id)
  const served = { long: 0, short: 0 }
  const last = Math.max(...short)
  while (scheduler.stats().waiting > 0 && !engine.seen.has(last) && !engine.seen.has(long.at(-1)!))
    await turn()
  for (const { items } of engine.steps)
    for (const { id, tokens } of items) served[id < 100 ? 'long' : 'short'] += tokens
  expect(served.long / served.short).toBeGreaterThan(0.9)
  expect(served.long / served.short).toBeLessThan(1.1)
  await scheduler.drain()
})

test('a tenant of weight 3 is served three times the tokens', async () => {
  const weight = (tenant: string): number => (tenant === 'large' ? 3 : 1)
  const { scheduler, engine } = setUp({ maxSequences: 4, maxQueue: 2000, blocks: 1000, weight })
  const tenants = ['large', 'small']
  const generations = Array.from({ length: 600 }, (_, client) =>
    scheduler.submit({
      prompt: prompt(6, client),
      maxTokens: 8,
      sampling: client,
      tenant: tenants[client % 2]!,
    }),
  )
  while (scheduler.stats().waiting > 250) await turn()
  const served = [0, 0]
  for (const { items } of engine.steps) for (const { id, tokens } of items) served[id % 2]! += tokens
  expect(served[0]! / served[1]!).toBeGreaterThan(2.7)
  expect(served[0]! / served[1]!).toBeLessThan(3.3)
  await Promise.all(generations.map(({ result }) => result))
})

test('a noisy tenant, a hundred to one, makes the quiet one wait for the next free place only', async () => {
  const { scheduler, engine } = setUp({ maxSequences: 4, maxTokensPerStep: 16, maxQueue: 1000, blocks: 1000 })
  const noisy = Array.from({ length: 100 }, (_, client) =>
    scheduler.submit({
      prompt: prompt(8, client),
      maxTokens: 12,
      sampling: client,
      tenant: 'noisy',
      priority: 9,
    }),
  )
  const waits: number[] = []
  for (let round = 0; round < 10; round++) {
    const before = engine.steps.length
    const quiet = scheduler.submit({ prompt: prompt(8, 50), maxTokens: 2, sampling: 1, tenant: 'quiet' })
    await quiet[Symbol.asyncIterator]().next()
    waits.push(engine.steps.findIndex(({ ids }) => ids.includes(quiet.id)) - before)
    await quiet.result
  }
  expect(scheduler.stats().waiting).toBeGreaterThan(0) // the noisy one still waits
  expect(Math.max(...waits)).toBeLessThanOrEqual(12 + 1)
  await Promise.all(noisy.map(({ result }) => result))
})

test('out of blocks the tenant that was served most gives way, whoever came first', async () => {
  const { scheduler, cache } = setUp({ blocks: 16, maxSequences: 8 })
  const generations = ['large', 'large', 'large', 'small', 'large'].map((tenant, client) =>
    scheduler.submit({ prompt: prompt(5, client), maxTokens: 40, sampling: client, tenant }),
  )
  const results = await Promise.all(generations.map(({ result }) => result))
  expect(scheduler.stats().preemptions).toBeGreaterThan(0)
  expect(results[3]!.preemptions).toBe(0)
  expect(cache.heldBlocks).toBe(0)
})

test('a tenant that comes back after a pause has saved nothing up', async () => {
  const { scheduler, engine } = setUp({ maxSequences: 1, maxQueue: 1000 })
  const submit = (tenant: string, client: number) =>
    scheduler.submit({ prompt: prompt(4, client), maxTokens: 4, sampling: client, tenant })
  await submit('idle', 0).result
  await Promise.all(Array.from({ length: 20 }, (_, client) => submit('busy', client).result))
  const both = Array.from({ length: 20 }, (_, client) => submit(client < 10 ? 'busy' : 'idle', client))
  await Promise.all(both.map(({ result }) => result))
  const first = order(engine.steps).slice(21, 31)
  expect(first.filter((id) => id >= 31).length).toBe(5)
})

test('one tenant cannot fill the queue, all without a tenant can', async () => {
  const { scheduler } = setUp({ maxQueue: 8 })
  const request = { prompt: prompt(4, 1), maxTokens: 2, sampling: 1 }
  const full = expect.objectContaining({ code: 'ERR_BIO_QUEUE_FULL' })
  for (let i = 0; i < 4; i++) scheduler.submit({ ...request, tenant: 'a' })
  expect(() => scheduler.submit({ ...request, tenant: 'a' })).toThrow(full)
  for (let i = 0; i < 2; i++) scheduler.submit({ ...request, tenant: 'b' })
  expect(() => scheduler.submit({ ...request, tenant: 'b' })).toThrow(full)
  for (let i = 0; i < 2; i++) scheduler.submit(request)
  expect(() => scheduler.submit(request)).toThrow(full)
  expect(scheduler.stats()).toMatchObject({ submitted: 8, rejected: 3, waiting: 8 })
})

test('a thousand tenants that come once are served, each once', async () => {
  const { scheduler, engine } = setUp({ maxQueue: 8 })
  const request = { prompt: prompt(4, 1), maxTokens: 2, sampling: 1 }
  for (let i = 0; i < 1000; i++) await scheduler.submit({ ...request, tenant: `once ${i}` }).result
  expect(engine.seen.size).toBe(1000)
})

test('a weight that is no positive number refuses the tenant', async () => {
  const { scheduler } = setUp({ weight: () => Number.NaN })
  const request = { prompt: prompt(4, 1), maxTokens: 2, sampling: 1, tenant: 'a' }
  expect(() => scheduler.submit(request)).toThrow(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
  expect(scheduler.stats()).toMatchObject({ submitted: 0, waiting: 0 })
})
