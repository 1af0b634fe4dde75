import { getEventListeners } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { FunctionRunner } from './function-runner.js'

afterEach(() => {
  vi.useRealTimers()
})

const quiet = (): { signal: AbortSignal } => ({ signal: new AbortController().signal })

test('gives what the function returns, at once or later', async () => {
  for (const runTimeoutMs of [undefined, 1000]) {
    const limit = runTimeoutMs === undefined ? {} : { runTimeoutMs }
    const sync = new FunctionRunner({
      run: (inputs: readonly number[]) => inputs.map((x) => 2 * x),
      ...limit,
    })
    expect(await sync.run([1, 2], quiet())).toEqual([2, 4])
    const later = new FunctionRunner({ run: async (inputs: readonly number[]) => inputs, ...limit })
    expect(await later.run([1, 2], quiet())).toEqual([1, 2])
  }
})

test('a synchronous throw rejects the run with what was thrown', async () => {
  for (const runTimeoutMs of [undefined, 1000]) {
    const run = (): never => {
      throw new RangeError('sync')
    }
    const runner = new FunctionRunner({ run, ...(runTimeoutMs === undefined ? {} : { runTimeoutMs }) })
    await expect(runner.run([1], quiet())).rejects.toThrow(RangeError)
  }
})

test('past runTimeoutMs the signal aborts and the run rejects with the same error; a late rejection is nobody’s', async () => {
  vi.useFakeTimers()
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  let signal: AbortSignal | undefined
  let fail: ((error: Error) => void) | undefined
  const runner = new FunctionRunner<number, number>({
    run: (_, context) => {
      signal = context.signal
      return new Promise((_resolve, reject) => (fail = reject))
    },
    runTimeoutMs: 20,
  })
  const outcome = runner.run([1], quiet()).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(19)
  expect(signal!.aborted).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  const error = await outcome
  expect(error).toMatchObject({ code: 'ERR_BIO_RUN_TIMEOUT', expected: 'outputs within 20 ms' })
  expect(signal!.reason).toBe(error)
  fail!(new Error('late'))
  vi.useRealTimers()
  await new Promise((resolve) => setTimeout(resolve, 5))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test('with a limit the caller’s abort still reaches the function, and nothing is left behind', async () => {
  vi.useFakeTimers()
  const controller = new AbortController()
  const runner = new FunctionRunner<number, number>({
    run: (_, { signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    runTimeoutMs: 1000,
  })
  const outcome = runner.run([1], { signal: controller.signal })
  controller.abort('enough')
  await expect(outcome).rejects.toBe('enough')
  expect(vi.getTimerCount()).toBe(0)
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  const aborted = new FunctionRunner({ run: (_, { signal }) => [signal.aborted], runTimeoutMs: 1000 })
  expect(await aborted.run([1], { signal: controller.signal })).toEqual([true])
})

test.each([0, -1, Number.NaN, 0.5, 2 ** 31])('runTimeoutMs %s is refused', (runTimeoutMs) => {
  expect(() => new FunctionRunner({ run: () => [], runTimeoutMs })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})
