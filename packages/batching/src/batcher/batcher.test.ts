import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher, QueueFullError } from '../index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const double = (inputs: readonly number[]): number[] => inputs.map((input) => 2 * input)

/** A run that ends when the test says so. */
function manualRun() {
  const calls: {
    inputs: readonly number[]
    signal: AbortSignal
    end: (outputs: (number | Error)[]) => void
    fail: (e: unknown) => void
  }[] = []
  const run = (inputs: readonly number[], { signal }: { signal: AbortSignal }): Promise<(number | Error)[]> =>
    new Promise((end, fail) => void calls.push({ inputs: [...inputs], signal, end, fail }))
  return { calls, run }
}

test('a full batch runs at once, in order of arrival', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 3 })
  const results = Promise.all([1, 2, 3].map((input) => batcher.submit(input)))
  expect(calls.map((call) => call.inputs)).toEqual([[1, 2, 3]])
  calls[0]!.end(double(calls[0]!.inputs))
  expect(await results).toEqual([2, 4, 6])
})

test('what arrives in one turn of the event loop shares a run; a lone request does not wait', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 8 })
  void batcher.submit(1)
  void batcher.submit(2)
  await vi.advanceTimersByTimeAsync(0)
  expect(calls.map((call) => call.inputs)).toEqual([[1, 2]])
})

test('requests collect while a run is busy, and leave together when it ends, with what its callers send next', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 8 })
  void batcher.submit(1).then(() => batcher.submit(4))
  await vi.advanceTimersByTimeAsync(10)
  void batcher.submit(2)
  await vi.advanceTimersByTimeAsync(7)
  void batcher.submit(3)
  await vi.advanceTimersByTimeAsync(4)
  expect(calls).toHaveLength(1)
  calls[0]!.end([2])
  await vi.advanceTimersByTimeAsync(0)
  expect(calls[1]!.inputs).toEqual([2, 3, 4])
})

test('where runs are done elsewhere, a full batch starts before the answers of the last are handed out', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 2 })
  const startedWhenAnswered: number[] = []
  for (let input = 0; input < 4; input++)
    void batcher.submit(input).then(() => startedWhenAnswered.push(calls.length))
  await vi.advanceTimersByTimeAsync(1)
  calls[0]!.end([0, 2])
  await vi.advanceTimersByTimeAsync(1)
  expect(startedWhenAnswered).toEqual([2, 2])
  expect(calls[1]!.inputs).toEqual([2, 3])
})

test('one that becomes full by what the first callers send in answer does not wait for the others', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 2 })
  const startedWhenAnswered: number[] = []
  for (let input = 0; input < 2; input++)
    void batcher.submit(input).then(() => {
      startedWhenAnswered.push(calls.length)
      void batcher.submit(input + 10)
    })
  void batcher.submit(5)
  await vi.advanceTimersByTimeAsync(1)
  calls[0]!.end([0, 2])
  await vi.advanceTimersByTimeAsync(1)
  expect(startedWhenAnswered).toEqual([1, 2])
  expect(calls[1]!.inputs).toEqual([5, 10])
})

test('where runs compute in this thread, answers are handed out before the next, whatever their callers await', async () => {
  const events: string[] = []
  const batcher = new Batcher<number, number>({
    run: (inputs) => {
      events.push(`run ${inputs.join()}`)
      return inputs
    },
    maxBatchSize: 2,
  })
  const through = async (input: number, layers: number): Promise<number> =>
    layers === 0 ? batcher.submit(input) : await through(input, layers - 1)
  const clients = [1, 2, 3, 4].map(async (input) => events.push(`answer ${await through(input, 10)}`))
  await Promise.all(clients)
  expect(events).toEqual(['run 1,2', 'answer 1', 'answer 2', 'run 3,4', 'answer 3', 'answer 4'])
})

test('callers that send again at once keep no timer from being heard, where runs compute in this thread', async () => {
  vi.useRealTimers()
  const batcher = new Batcher<number, number>({ run: async (inputs) => inputs, maxBatchSize: 8 })
  const timer = { fired: false }
  const clients = [1, 2].map(async (input) => {
    while (!timer.fired) await batcher.submit(input)
  })
  setTimeout(() => (timer.fired = true), 5)
  await Promise.all(clients)
  expect(timer.fired).toBe(true)
})

/** Two requests 1 ms apart, every 100 ms, of which a run takes 20 ms however many it serves; gives the sizes of the runs. */
async function pairs(count: number, maxWaitMs: number | undefined): Promise<number[]> {
  const sizes: number[] = []
  const batcher = new Batcher<number, number>({
    run: async (inputs) => {
      sizes.push(inputs.length)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return inputs
    },
    maxBatchSize: 8,
    ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
  })
  for (let pair = 0; pair < count; pair++) {
    void batcher.submit(1)
    await vi.advanceTimersByTimeAsync(1)
    void batcher.submit(2)
    await vi.advanceTimersByTimeAsync(99)
  }
  return sizes
}

test('it learns to wait for company that pays, and leaves at once when that has come', async () => {
  const sizes = await pairs(40, undefined)
  expect(sizes.slice(0, 2)).toEqual([1, 1])
  expect(sizes.slice(-20)).toEqual(Array.from({ length: 20 }, () => 2))
})

test('maxWaitMs bounds the wait for company', async () => {
  expect(await pairs(40, 0.5)).toEqual(Array.from({ length: 80 }, () => 1))
})

test('a queued request that is aborted never runs', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 8 })
  const controller = new AbortController()
  const aborted = expect(batcher.submit(1, { signal: controller.signal })).rejects.toThrow('gone')
  void batcher.submit(2)
  controller.abort(new Error('gone'))
  await aborted
  await vi.advanceTimersByTimeAsync(10)
  expect(calls.map((call) => call.inputs)).toEqual([[2]])
  expect(batcher.stats()).toMatchObject({ submitted: 2, cancelled: 1, running: 1, queued: 0 })
})

test('a settled request leaves no listener on its signal', async () => {
  const { signal } = new AbortController()
  const batcher = new Batcher({ run: double, maxBatchSize: 1 })
  await batcher.submit(1, { signal })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('a request whose deadline passed while the event loop was busy does not run', async () => {
  vi.useRealTimers()
  const ran: number[] = []
  const batcher = new Batcher<number, number>({
    run: async (inputs) => {
      ran.push(...inputs)
      await Promise.resolve()
      const start = performance.now()
      while (performance.now() - start < 10); // no timer fires meanwhile
      return inputs
    },
    maxBatchSize: 1,
  })
  const results = await Promise.allSettled([batcher.submit(1), batcher.submit(2, { deadlineMs: 5 })])
  expect(results).toMatchObject([{ value: 1 }, { reason: { code: 'ERR_BIO_DEADLINE' } }])
  expect(ran).toEqual([1])
})

test('a running request that is aborted rejects at once; the run is told only when all are gone', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 2 })
  const controllers = [new AbortController(), new AbortController()]
  const results = controllers.map(({ signal }, index) => batcher.submit(index, { signal }).catch(String))
  controllers[0]!.abort('first')
  expect(await results[0]).toBe('first')
  expect(calls[0]!.signal.aborted).toBe(false)
  controllers[1]!.abort('second')
  expect(calls[0]!.signal.aborted).toBe(true)
  expect(await results[1]).toBe('second')
  calls[0]!.fail(new Error('aborted run'))
  await batcher.drain()
  expect(batcher.stats()).toMatchObject({ cancelled: 2, failed: 0, completed: 0 })
})

test('an already aborted signal is refused before anything is queued', async () => {
  const batcher = new Batcher({ run: double, maxBatchSize: 2 })
  await expect(batcher.submit(1, { signal: AbortSignal.abort('early') })).rejects.toBe('early')
  expect(batcher.stats().submitted).toBe(0)
})

test('an error among the outputs rejects that request only, and does not abort the run', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 3 })
  const results = Promise.allSettled([1, 2, 3].map((input) => batcher.submit(input)))
  calls[0]!.end([10, new Error('bad two'), 30])
  expect(
    (await results).map((result) => (result.status === 'fulfilled' ? result.value : 'rejected')),
  ).toEqual([10, 'rejected', 30])
  expect(calls[0]!.signal.aborted).toBe(false)
})

test('a throw rejects exactly its batch, and the next batch runs', async () => {
  let run = 0
  const batcher = new Batcher<number, number>({
    run: (inputs) => {
      run += 1
      if (run === 1) throw new Error('first run')
      return double(inputs)
    },
    maxBatchSize: 2,
  })
  const first = Promise.allSettled([batcher.submit(1), batcher.submit(2)])
  const second = Promise.all([batcher.submit(3), batcher.submit(4)])
  expect((await first).map((result) => result.status)).toEqual(['rejected', 'rejected'])
  expect(await second).toEqual([6, 8])
})

test.each([[[1]], [[1, 2, 3]], [undefined], ['ab']])(
  'outputs %j for two inputs are a named error',
  async (outputs) => {
    const batcher = new Batcher({ run: () => outputs as number[], maxBatchSize: 2 })
    const results = await Promise.allSettled([batcher.submit(1), batcher.submit(2)])
    for (const result of results)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_BIO_OUTPUT_COUNT' } })
  },
)

test('a deadline counts from arrival and is kept queued and running', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 1 })
  const running = expect(batcher.submit(1, { deadlineMs: 20 })).rejects.toMatchObject({
    code: 'ERR_BIO_DEADLINE',
    received: 'a request still running',
  })
  const queued = expect(batcher.submit(2, { deadlineMs: 10 })).rejects.toMatchObject({
    code: 'ERR_BIO_DEADLINE',
    received: 'a request still waiting',
  })
  await vi.advanceTimersByTimeAsync(20)
  await Promise.all([running, queued])
  expect(calls).toHaveLength(1)
  expect(calls[0]!.signal.aborted).toBe(true)
})

test('a full queue refuses with an estimate, and accepts again when there is room', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 1, maxQueue: 2 })
  const accepted = Promise.all([1, 2, 3].map((input) => batcher.submit(input)))
  const refusal: unknown = await batcher.submit(4).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(QueueFullError)
  expect(refusal).toMatchObject({ code: 'ERR_BIO_QUEUE_FULL', retryAfterMs: 1 })
  for (let index = 0; index < 3; index++) {
    calls[index]!.end([index])
    await vi.advanceTimersByTimeAsync(0)
  }
  expect(await accepted).toEqual([0, 1, 2])
  const last = batcher.submit(5)
  calls[3]!.end([50])
  expect(await last).toBe(50)
  expect(batcher.stats()).toMatchObject({ submitted: 4, completed: 4, rejected: 1, batches: 4, occupancy: 1 })
})

test('drain runs what waits without further waiting, refuses newcomers and resolves when runs have ended', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 4 })
  const result = batcher.submit(1)
  const drained = vi.fn()
  const draining = batcher.drain().then(drained)
  expect(calls[0]!.inputs).toEqual([1])
  await expect(batcher.submit(2)).rejects.toMatchObject({ code: 'ERR_BIO_CLOSED' })
  await vi.advanceTimersByTimeAsync(100)
  expect(drained).not.toHaveBeenCalled()
  calls[0]!.end([2])
  await draining
  expect(await result).toBe(2)
})

test('a drain that gives up settles what runs and what waits, and aborts the runs', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 1 })
  const results = Promise.allSettled([batcher.submit(1), batcher.submit(2)])
  const draining = batcher.drain({ timeoutMs: 50 })
  await vi.advanceTimersByTimeAsync(50)
  await draining
  for (const result of await results) expect(result).toMatchObject({ reason: { code: 'ERR_BIO_CLOSED' } })
  expect(calls).toHaveLength(1)
  expect(calls[0]!.signal.aborted).toBe(true)
})

test('await using drains', async () => {
  let result: Promise<number>
  {
    await using batcher = new Batcher({ run: double, maxBatchSize: 4 })
    result = batcher.submit(21)
  }
  expect(await result).toBe(42)
})

test('concurrency bounds the runs at the same time', async () => {
  const { calls, run } = manualRun()
  const batcher = new Batcher({ run, maxBatchSize: 1, concurrency: 2 })
  for (let input = 0; input < 4; input++) void batcher.submit(input)
  expect(calls).toHaveLength(2)
  calls[1]!.end([0])
  await vi.advanceTimersByTimeAsync(0)
  expect(calls.map((call) => call.inputs)).toEqual([[0], [1], [2]])
})

test.each([
  { maxBatchSize: 0 },
  { maxBatchSize: 1.5 },
  { maxBatchSize: Number.NaN },
  { maxWaitMs: -1 },
  { maxWaitMs: Number.NaN },
  { maxWaitMs: 2 ** 31 },
  { maxQueue: 0 },
  { concurrency: 0 },
  { maxBatchCost: 0 },
  { maxQueueMs: Number.NaN },
  { cost: 1 as never },
  { quarantine: { identify: String, after: 0 } },
  { runTimeoutMs: 0 },
  { run: undefined as unknown as typeof double },
])('the option %j is refused', (wrong) => {
  expect(() => new Batcher({ run: double, maxBatchSize: 2, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})

test('a bad deadline or drain timeout is refused and closes nothing', async () => {
  const batcher = new Batcher({ run: double, maxBatchSize: 1 })
  await expect(batcher.submit(1, { deadlineMs: Number.NaN })).rejects.toMatchObject({
    code: 'ERR_BIO_CONFIG',
  })
  await expect(batcher.drain({ timeoutMs: -1 })).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
  expect(await batcher.submit(1)).toBe(2)
})
