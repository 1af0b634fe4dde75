import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Batcher, refuseNaN } from '../index.js'

/** Submits 0…n−1 in one batch whose runs fail as `fails` says; gives who succeeded, and how many more runs that took. */
async function runPoisoned(
  size: number,
  poisoned: ReadonlySet<number>,
  idempotent: boolean,
): Promise<{ good: number[]; extraRuns: number; runsWith: Map<number, number> }> {
  const runsWith = new Map<number, number>()
  const batcher = new Batcher<number, number>({
    run: (inputs) => {
      for (const input of inputs) runsWith.set(input, (runsWith.get(input) ?? 0) + 1)
      const bad = inputs.find((input) => poisoned.has(input))
      if (bad !== undefined) throw new Error(`poison ${bad}`)
      return inputs
    },
    maxBatchSize: size,
    idempotent,
  })
  const results = await Promise.allSettled(Array.from({ length: size }, (_, input) => batcher.submit(input)))
  for (const [input, result] of results.entries())
    if (result.status === 'rejected' && idempotent)
      expect(result.reason).toMatchObject({ message: `poison ${input}` })
  const good = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  return { good, extraRuns: batcher.stats().bisections, runsWith }
}

test('k poisoned of n cost at most 2k·log2 n + 1 more runs, and all others succeed', async () => {
  const cases: [number, number[]][] = []
  for (let size = 1; size <= 7; size++)
    for (let mask = 1; mask < 2 ** size; mask++)
      cases.push([size, Array.from({ length: size }, (_, bit) => bit).filter((bit) => (mask >> bit) & 1)])
  for (let size = 8; size <= 70; size++)
    for (const bad of new Set([0, 1, size >> 1, (size >> 1) + 1, size - 2, size - 1]))
      cases.push([size, [bad]])
  for (const [size, poison] of cases) {
    const { good, extraRuns } = await runPoisoned(size, new Set(poison), true)
    expect(good).toHaveLength(size - poison.length)
    expect(extraRuns, `${poison} of ${size}`).toBeLessThanOrEqual(2 * poison.length * Math.log2(size) + 1)
  }
})

test('the bound holds for any few of many', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 300 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 5 }),
      async (size, picks) => {
        const poisoned = new Set(picks.map((pick) => pick % size))
        const { good, extraRuns } = await runPoisoned(size, poisoned, true)
        expect(good).toHaveLength(size - poisoned.size)
        expect(extraRuns).toBeLessThanOrEqual(2 * poisoned.size * Math.log2(size) + 1)
      },
    ),
    { numRuns: 200 },
  )
})

test('what is not idempotent never runs twice', async () => {
  const { good, extraRuns, runsWith } = await runPoisoned(8, new Set([3]), false)
  expect(good).toEqual([])
  expect(extraRuns).toBe(0)
  expect([...runsWith.values()]).toEqual(Array.from({ length: 8 }, () => 1))
})

test('a request withdrawn while its batch is bisected runs no more', async () => {
  const controller = new AbortController()
  const runs: (readonly number[])[] = []
  const batcher = new Batcher<number, number>({
    run: async (inputs) => {
      runs.push(inputs)
      if (runs.length === 2) controller.abort('gone')
      if (inputs.includes(0)) throw new Error('poison')
      return inputs
    },
    maxBatchSize: 4,
    idempotent: true,
  })
  const results = await Promise.allSettled(
    [0, 1, 2, 3].map((input) => batcher.submit(input, input === 3 ? { signal: controller.signal } : {})),
  )
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'rejected'))).toEqual([
    'rejected',
    1,
    2,
    'rejected',
  ])
  expect(runs.slice(2).flat()).not.toContain(3)
  expect(batcher.stats()).toMatchObject({ cancelled: 1, failed: 1, completed: 2, running: 0 })
})

test('a failed check rejects that request, and only that', async () => {
  const batcher = new Batcher<number, number>({
    run: (inputs) => inputs.map((input) => Math.sqrt(input)),
    maxBatchSize: 3,
    check: refuseNaN,
  })
  const results = await Promise.allSettled([4, -1, 9].map((input) => batcher.submit(input)))
  expect(results).toMatchObject([{ value: 2 }, { reason: { code: 'ERR_BIO_NAN' } }, { value: 3 }])
  expect(batcher.stats().bisections).toBe(0)
})

test('one NaN that spoils the whole batch is found, and the others get their numbers', async () => {
  const batcher = new Batcher<number, number>({
    run: (inputs) => {
      const mean = inputs.reduce((sum, input) => sum + input) / inputs.length
      return inputs.map((input) => input - mean)
    },
    maxBatchSize: 8,
    check: refuseNaN,
    idempotent: true,
  })
  const results = await Promise.allSettled(
    [0, 1, 2, 3, 4, Number.NaN, 6, 7].map((input) => batcher.submit(input)),
  )
  expect(results.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([5])
})

test.each([
  [Number.NaN, true],
  [[1, [2, Number.NaN]], true],
  [{ logits: Float32Array.of(1, Number.NaN) }, true],
  [new Map(), false],
  [[1, 2], false],
  [null, false],
  [Uint8Array.of(1), false],
])('refuseNaN of %o', (output, refused) => {
  if (refused) expect(() => refuseNaN(output)).toThrow(expect.objectContaining({ code: 'ERR_BIO_NAN' }))
  else expect(refuseNaN(output)).toBeUndefined()
})

test('refuseNaN ends on what refers to itself', () => {
  const self: { value: number; self?: unknown } = { value: 1 }
  self.self = self
  expect(refuseNaN(self)).toBeUndefined()
})
