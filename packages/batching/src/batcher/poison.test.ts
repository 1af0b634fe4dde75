import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Batcher, refuseNaN } from '../index.js'
import type { RunFunction } from '../runner/function-runner.js'

const size = 32
const module = new URL('./__fixtures__/poisoned-module.mjs', import.meta.url)

/** Places that bisection finds hardest or easiest: the ends, the middle, neighbours, and far apart. */
const places = [[0], [31], [16], [0, 31], [15, 16], [7, 8], [0, 1, 2], [0, 16, 31], [5, 14, 27]]

interface Input {
  readonly id: number
  readonly poison: string | undefined
}

function inputsWith(poison: string, bad: readonly number[]): Input[] {
  return Array.from({ length: size }, (_, id) => ({ id, poison: bad.includes(id) ? poison : undefined }))
}

const quarantineAfter = (after: number) => ({ identify: ({ id }: Input) => String(id), after })

interface Expectation {
  /** Of the error that the poisoned reject with; undefined for any. */
  readonly code: string | undefined
  /** Failures until quarantine. */
  readonly after: number
  readonly advance?: () => Promise<void>
}

/** Submits the inputs in one batch, `after` times; then the poisoned are in quarantine and the others are not. */
async function expectIsolation(
  batcher: Batcher<Input, number>,
  inputs: readonly Input[],
  { code, after, advance = async () => {} }: Expectation,
): Promise<void> {
  const submitAll = async (): Promise<PromiseSettledResult<number>[]> => {
    const results = Promise.allSettled(inputs.map((input) => batcher.submit(input)))
    await advance()
    return results
  }
  const poisoned = inputs.filter(({ poison }) => poison !== undefined).length
  for (let round = 0; round <= after; round++) {
    const before = batcher.stats()
    const results = await submitAll()
    for (const [index, { id, poison }] of inputs.entries()) {
      if (poison === undefined) expect(results[index]).toEqual({ status: 'fulfilled', value: 2 * id })
      else if (round === after)
        expect(results[index]).toMatchObject({ reason: { code: 'ERR_BIO_QUARANTINED' } })
      else
        expect(results[index]).toMatchObject({
          status: 'rejected',
          reason: code === undefined ? {} : { code },
        })
    }
    const extraRuns = batcher.stats().bisections - before.bisections
    expect(extraRuns).toBeLessThanOrEqual(round === after ? 0 : 2 * poisoned * Math.log2(size) + 1)
  }
}

describe('in this process, under fake time', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  const run: RunFunction<Input, number> = async (inputs) => {
    const poison = inputs.find((input) => input.poison !== undefined)?.poison
    if (poison === 'throw') throw new Error('poison')
    if (poison === 'hang') return new Promise(() => {})
    if (poison === 'wrong count') return inputs.slice(1).map(({ id }) => 2 * id)
    if (poison === 'wrong shape') return inputs.map(() => ({ rows: 3 }) as unknown as number)
    return inputs.map(({ id }) => (poison === 'NaN' ? Number.NaN : 2 * id))
  }
  const check = (output: number): void => {
    if (typeof output !== 'number') throw new RangeError('an output of the wrong shape')
    refuseNaN(output)
  }

  test.each([
    ['throw', undefined],
    ['NaN', 'ERR_BIO_NAN'],
    ['wrong count', 'ERR_BIO_OUTPUT_COUNT'],
    ['wrong shape', undefined],
    ['hang', 'ERR_BIO_RUN_TIMEOUT'],
  ])(
    '%s: 1 to 3 of 32 are found, the healthy succeed, and repeat offenders are refused',
    async (poison, code) => {
      for (const bad of places) {
        const batcher = new Batcher({
          run,
          maxBatchSize: size,
          idempotent: true,
          runTimeoutMs: 20,
          check,
          quarantine: quarantineAfter(2),
        })
        const advance = async (): Promise<void> => void (await vi.advanceTimersByTimeAsync(2000))
        await expectIsolation(batcher, inputsWith(poison, bad), { code, after: 2, advance })
        await batcher.drain()
      }
    },
  )
})

describe.each([
  ['thread', ['throw', 'wrong count', 'NaN', 'exit', 'hang']],
  ['process', ['exit', 'segfault', 'hang']],
] as const)('in a worker %s', (kind, poisons) => {
  const codes: Record<string, string> = {
    'wrong count': 'ERR_BIO_OUTPUT_COUNT',
    NaN: 'ERR_BIO_NAN',
    exit: 'ERR_BIO_WORKER_CRASHED',
    segfault: 'ERR_BIO_WORKER_CRASHED',
    hang: 'ERR_BIO_RUN_TIMEOUT',
  }

  test.each(poisons)(
    '%s: found at the cost of its runs, though each crash costs a worker',
    async (poison) => {
      await using batcher = new Batcher<Input, number>({
        workers: { module, count: 1, kind },
        maxBatchSize: size,
        idempotent: true,
        runTimeoutMs: poison === 'hang' ? 400 : 30_000,
        check: refuseNaN,
        quarantine: quarantineAfter(1),
      })
      await expectIsolation(batcher, inputsWith(poison, [21]), { code: codes[poison], after: 1 })
    },
  )
})

test('a module that cannot be loaded is no request’s fault: nothing runs again, nobody is in quarantine', async () => {
  await using batcher = new Batcher<Input, number>({
    workers: { module: './no-such-module.mjs', count: 1 },
    maxBatchSize: size,
    idempotent: true,
    quarantine: quarantineAfter(1),
  })
  for (let round = 0; round < 2; round++) {
    const results = await Promise.allSettled(inputsWith('none', []).map((input) => batcher.submit(input)))
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'ERR_BIO_WORKER_START' } })
  }
  expect(batcher.stats()).toMatchObject({ failed: 2 * size, bisections: 0, rejected: 0 })
})
