import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher } from '../index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function batcherWith(quarantine: { after?: number; forMs?: number }) {
  const run = vi.fn((texts: readonly string[]) => {
    if (texts.includes('poison')) throw new Error('boom')
    return texts
  })
  const batcher = new Batcher<string, string>({
    run,
    maxBatchSize: 4,
    idempotent: true,
    quarantine: { identify: (text) => text, ...quarantine },
  })
  return { batcher, run }
}

test('a repeat offender is refused at submit, and costs no more runs', async () => {
  const { batcher, run } = batcherWith({ after: 2 })
  for (let round = 0; round < 2; round++) {
    const results = Promise.allSettled(['a', 'poison', 'b', 'c'].map((text) => batcher.submit(text)))
    await vi.advanceTimersByTimeAsync(0)
    expect((await results).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
  }
  const runs = run.mock.calls.length
  await expect(batcher.submit('poison')).rejects.toMatchObject({ code: 'ERR_BIO_QUARANTINED' })
  expect(run.mock.calls).toHaveLength(runs)
  expect(batcher.stats()).toMatchObject({ rejected: 1, failed: 2 })
})

test('after forMs it is tried again', async () => {
  const { batcher } = batcherWith({ after: 1, forMs: 1000 })
  const submit = async (): Promise<string> => {
    const code = batcher.submit('poison').then(
      () => 'fine',
      (error: { code?: string; message: string }) => error.code ?? error.message,
    )
    await vi.advanceTimersByTimeAsync(0)
    return code
  }
  expect(await submit()).toBe('boom')
  await vi.advanceTimersByTimeAsync(999)
  expect(await submit()).toBe('ERR_BIO_QUARANTINED')
  await vi.advanceTimersByTimeAsync(1)
  expect(await submit()).toBe('boom')
})

test('who only shared a batch with poison is no offender', async () => {
  const { batcher } = batcherWith({ after: 1 })
  const results = Promise.allSettled(['a', 'poison'].map((text) => batcher.submit(text)))
  await vi.advanceTimersByTimeAsync(0)
  await results
  const again = batcher.submit('a')
  await vi.advanceTimersByTimeAsync(0)
  expect(await again).toBe('a')
})

test('an input is named once, before a run can change it', async () => {
  const batcher = new Batcher<string[], string>({
    run: ([words]) => {
      words!.length = 0 // naming it now would throw
      throw new Error('boom')
    },
    maxBatchSize: 1,
    quarantine: { identify: (words) => words[0]!.toLowerCase(), after: 1 },
  })
  const submit = async (): Promise<unknown> => {
    const outcome = batcher.submit(['Poison']).catch((error: { code?: string }) => error.code ?? 'boom')
    await vi.advanceTimersByTimeAsync(0)
    return outcome
  }
  expect(await submit()).toBe('boom')
  expect(await submit()).toBe('ERR_BIO_QUARANTINED')
  const unnamed = batcher.submit([])
  await expect(unnamed).rejects.toThrow(TypeError)
  expect(batcher.stats()).toMatchObject({ submitted: 1, failed: 1, rejected: 1, running: 0 })
})
