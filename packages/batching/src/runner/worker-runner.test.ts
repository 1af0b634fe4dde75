import { getEventListeners } from 'node:events'
import { BioError } from '@bio/errors'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WorkerRunner, type WorkersOptions } from './worker-runner.js'

const module = new URL('../workers/__fixtures__/obedient.mjs', import.meta.url)
const open: WorkerRunner<unknown, unknown>[] = []

function pool(options: Partial<WorkersOptions> = {}): WorkerRunner<unknown, unknown> {
  const runner = new WorkerRunner<unknown, unknown>({ module, count: 1, ...options })
  open.push(runner)
  return runner
}

const inline = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`

function run(
  runner: WorkerRunner<unknown, unknown>,
  inputs: readonly unknown[],
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly unknown[]> {
  return runner.run(inputs, { signal })
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((runner) => runner.close()))
})

describe.each(['thread', 'process'] as const)('a %s', (kind) => {
  test('runs the module with its data, outside this thread', async () => {
    const runner = pool({ kind, data: { weights: new Map([['a', 1]]) } })
    const [value, data, identity] = await run(runner, [Number.NaN, { do: 'data' }, { do: 'identity' }])
    expect(value).toBe(Number.NaN)
    expect(data).toEqual({ weights: new Map([['a', 1]]) })
    const { pid, threadId } = identity as { pid: number; threadId: number }
    expect(kind === 'thread' ? threadId : pid).not.toBe(kind === 'thread' ? 0 : process.pid)
  })

  test('errors keep class, name, message, code, fields and cause; what cannot be cloned of them is left out', async () => {
    const runner = pool({ kind })
    const [odd, typed, healthy] = await run(runner, [{ do: 'error', message: 'm' }, { do: 'typeError' }, 3])
    expect(odd).toBeInstanceOf(Error)
    expect(odd).toMatchObject({ name: 'OddError', message: 'm', code: 'E_ODD', detail: { row: 3 } })
    expect(odd).not.toHaveProperty('callback')
    expect((odd as Error).stack).toContain('obedient.mjs')
    expect(typed).toBeInstanceOf(TypeError)
    expect(typed).toMatchObject({ cause: { name: 'RangeError', message: 'deep' } })
    expect(healthy).toBe(3)
  })

  test('what is thrown arrives: an error, a BioError, any value, or why it cannot', async () => {
    const runner = pool({ kind })
    await expect(run(runner, [{ do: 'throw' }])).rejects.toMatchObject({ name: 'OddError', code: 'E_ODD' })
    await expect(run(runner, [{ do: 'throwValue', value: { a: 1 } }])).rejects.toEqual({ a: 1 })
    await expect(run(runner, [{ do: 'throwValue', value: undefined }])).rejects.toBe(undefined)
    await expect(run(runner, [{ do: 'throwUncloneable' }])).rejects.toThrow('could not be cloned')
    await expect(run(runner, [{ do: 'throwCycle' }])).rejects.toThrow('cycle')
    const error: unknown = await run(runner, [{ do: 'throwBio' }]).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(BioError)
    expect(error).toMatchObject({
      message: 'model: expected a, received b. Do c',
      code: 'ERR_BIO_MODEL',
      retryAfterMs: 7,
    })
    expect(await run(runner, [1])).toEqual([1])
  })

  test('an output that cannot be cloned fails alone', async () => {
    const [before, bad, error, after] = await run(pool({ kind }), [
      1,
      { do: 'uncloneable' },
      { do: 'typeError' },
      4,
    ])
    expect([before, after]).toEqual([1, 4])
    expect(bad).toBeInstanceOf(BioError)
    expect(bad).toMatchObject({ code: 'ERR_BIO_VALUE', received: expect.stringContaining('output 1: ') })
    expect(error).toBeInstanceOf(TypeError)
  })

  test('an input that cannot be cloned fails alone, and a wrong number of outputs stays wrong', async () => {
    const runner = pool({ kind })
    const [first, bad, third] = await run(runner, [1, () => {}, 3])
    expect([first, third]).toEqual([1, 3])
    expect(bad).toMatchObject({ code: 'ERR_BIO_VALUE', received: expect.stringContaining('input 1: ') })
    const all = await run(runner, [Symbol('a'), () => {}])
    expect(all).toEqual([expect.any(BioError), expect.any(BioError)])
    for (const returns of [[], [1, 2, 3]])
      expect(await run(runner, [{ returns }, () => {}])).toHaveLength(returns.length + 1)
  })

  test('what is no array of outputs comes back as it is', async () => {
    const runner = pool({ kind })
    for (const returns of ['text', 5, { length: 1 }, new Float32Array(1), null])
      expect(await run(runner, [{ returns }])).toEqual(returns)
  })

  test('typed arrays travel alone: neither side’s own array is detached, no buffer beneath comes along', async () => {
    const runner = pool({ kind })
    const matrix = Float32Array.of(1, 2, 3, 4)
    const view = matrix.subarray(2)
    const rows = await run(runner, [
      { do: 'row', row: 0 },
      { do: 'row', row: 2 },
    ])
    expect(rows).toEqual([Float32Array.of(1, 2), Float32Array.of(5, 6)])
    for (const row of rows) expect((row as Float32Array).buffer.byteLength).toBe(8)
    expect(await run(runner, [{ do: 'row', row: 0 }])).toEqual([Float32Array.of(1, 2)])
    const large = new Uint8Array(2 ** 20).subarray(5, 8)
    const echoed = await run(runner, [view, large, Buffer.from('ab'), new DataView(matrix.buffer, 4, 4)])
    expect(echoed).toEqual([
      Float32Array.of(3, 4),
      new Uint8Array(3),
      expect.any(Uint8Array),
      new DataView(Float32Array.of(2).buffer),
    ])
    expect([...(echoed[2] as Uint8Array)]).toEqual([97, 98])
    expect(matrix).toEqual(Float32Array.of(1, 2, 3, 4))
  })

  test('a hang past runTimeoutMs costs its run; the successor runs the next', async () => {
    const runner = pool({ kind, runTimeoutMs: 300 })
    await run(runner, [1])
    await expect(run(runner, [{ do: 'hang' }])).rejects.toMatchObject({ code: 'ERR_BIO_RUN_TIMEOUT' })
    expect(await run(runner, [2])).toEqual([2])
  })

  test.each([
    [{ do: 'exit', code: 3 }, 'exit code 3'],
    [{ do: 'exit', code: 0 }, 'exit code 0'],
    [{ do: 'uncaught' }, kind === 'thread' ? 'an uncaught TypeError: nobody catches this' : 'exit code 1'],
    [{ do: 'unhandled' }, kind === 'thread' ? 'an uncaught TypeError: nobody handles this' : 'exit code 1'],
  ])('%j rejects what it held, saying how it ended, and a successor runs', async (order, received) => {
    const runner = pool({ kind })
    const others = [run(runner, [{ do: 'wait', ms: 60_000 }]), run(runner, [order])]
    for (const outcome of await Promise.allSettled(others))
      expect(outcome).toMatchObject({ reason: { code: 'ERR_BIO_WORKER_CRASHED', received } })
    expect(await run(runner, [1])).toEqual([1])
  })

  test('a worker that dies idle is replaced when it is needed', async () => {
    const runner = pool({ kind })
    const [before] = await run(runner, [{ do: 'identity' }])
    await run(runner, [{ do: 'crashLater' }])
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect((await run(runner, [{ do: 'identity' }]))[0]).not.toEqual(before)
  })

  test('an abort reaches the signal inside, and nothing listens afterwards', async () => {
    const runner = pool({ kind })
    await run(runner, [1])
    const controller = new AbortController()
    const outcome = run(runner, [{ do: 'untilAborted' }], controller.signal)
    controller.abort()
    expect(await outcome).toEqual(['aborted'])
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    await expect(run(runner, [1], controller.signal)).rejects.toThrow('aborted')
  })

  test('a run that is aborted while its worker starts rejects at once', async () => {
    const runner = pool({ kind, module: inline('await new Promise(() => setTimeout(() => {}, 1e6))') })
    const controller = new AbortController()
    const outcome = run(runner, [1], controller.signal)
    controller.abort('never mind')
    await expect(outcome).rejects.toBe('never mind')
  })

  test.each([
    ['no such file', './no-such-module.mjs', /no-such-module/],
    ['a throw', inline('throw new RangeError("no weights")'), /no weights/],
    ['no run', inline('export const start = 1'), /no function named run/],
    ['an exit', inline('process.exit(4)'), /exit code 4/],
  ])('%s is ERR_BIO_WORKER_START, without a storm of restarts', async (_, broken, reason) => {
    const runner = pool({ kind, module: broken })
    const first: unknown = await run(runner, [1]).catch((error: unknown) => error)
    expect(first).toMatchObject({
      code: 'ERR_BIO_WORKER_START',
      received: expect.stringMatching(reason),
    })
    await expect(run(runner, [1])).rejects.toBe(first) // no second try within the backoff
    await new Promise((resolve) => setTimeout(resolve, 120))
    const second: unknown = await run(runner, [1]).catch((error: unknown) => error)
    expect(second).toMatchObject({ code: 'ERR_BIO_WORKER_START' })
    expect(second).not.toBe(first)
  })

  test('a start that takes longer than startTimeoutMs is given up', async () => {
    const runner = pool({ kind, module: inline('for (;;);'), startTimeoutMs: 200 })
    await expect(run(runner, [1])).rejects.toMatchObject({
      code: 'ERR_BIO_WORKER_START',
      received: 'nothing yet after 200 ms',
    })
  })

  test('only a run keeps this process alive', async () => {
    const alive = (): string[] =>
      process.getActiveResourcesInfo().filter((resource) => /MessagePort|Worker|ProcessWrap/.test(resource))
    const runner = pool({ kind, count: 2 })
    expect(alive()).toEqual([])
    await run(runner, [1])
    const running = run(runner, [{ do: 'wait', ms: 50 }])
    expect(alive()).not.toEqual([])
    await running
    expect(alive()).toEqual([])
    await run(runner, [{ do: 'exit', code: 1 }]).catch(() => {})
    await vi.waitFor(() => expect(alive()).toEqual([])) // the successor starts
  })

  test('close ends what runs, whatever it does, and refuses what comes', async () => {
    const runner = pool({ kind, count: 2 })
    await Promise.all([run(runner, [1]), run(runner, [2])])
    const hanging = [run(runner, [{ do: 'hang' }]), run(runner, [{ do: 'wait', ms: 60_000 }])]
    const outcomes = Promise.allSettled(hanging)
    await runner.close()
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ reason: { code: 'ERR_BIO_CLOSED' } })
    await expect(run(runner, [1])).rejects.toMatchObject({ code: 'ERR_BIO_CLOSED' })
    await runner.close()
  })

  test('as many runs as workers run at the same time, each in its own', async () => {
    const runner = pool({ kind, count: 3 })
    await Promise.all([1, 2, 3].map((input) => run(runner, [input])))
    const identities = await Promise.all(
      [1, 2, 3].map(() => run(runner, [{ do: 'wait', ms: 50 }, { do: 'identity' }])),
    )
    expect(new Set(identities.map(([, identity]) => JSON.stringify(identity))).size).toBe(3)
  })

  test('data that cannot be cloned is refused at once', () => {
    expect(() => pool({ kind, data: () => {} })).toThrow(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
  })
})

test('a segmentation fault costs a process, and the run that it held', async () => {
  const runner = pool({ kind: 'process' })
  await expect(run(runner, [{ do: 'segfault' }])).rejects.toMatchObject({
    code: 'ERR_BIO_WORKER_CRASHED',
    received: 'signal SIGSEGV',
  })
  expect(await run(runner, [1])).toEqual([1])
})

test('memory that runs out costs a process, and the run that it held', async () => {
  vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=24')
  const runner = pool({ kind: 'process' })
  vi.unstubAllEnvs()
  await expect(run(runner, [{ do: 'exhaust' }])).rejects.toMatchObject({
    code: 'ERR_BIO_WORKER_CRASHED',
    received: 'signal SIGABRT',
  })
  expect(await run(runner, [1])).toEqual([1])
})

test('no exchange leaves an unhandled rejection', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const runner = pool({ runTimeoutMs: 200 })
  await Promise.allSettled(
    ['hang', 'throw', 'exit', 'untilAborted'].map((order) => run(runner, [{ do: order }])),
  )
  const broken = pool({ module: inline('throw 1') })
  await new Promise((resolve) => setTimeout(resolve, 100))
  await Promise.all([runner.close(), broken.close()])
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test.each([
  { count: 0 },
  { count: 1.5 },
  { kind: 'fibre' as 'thread' },
  { module: '' },
  { module: 5 as unknown as string },
  { runTimeoutMs: 0 },
  { runTimeoutMs: Number.NaN },
  { startTimeoutMs: 2 ** 31 },
])('the option %j is refused', (wrong) => {
  expect(() => pool(wrong)).toThrow(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
})
