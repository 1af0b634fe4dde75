import { expect, test } from 'vitest'
import { onnxMlp } from '../lib/onnx-mlp.mjs'
import { BentomlBatcher, fitLine } from './bentoml-batcher.mjs'
import { playClosed, playOpen, summarise } from './load.mjs'
import { StaticBatcher } from './static-batcher.mjs'
import { VirtualClock } from './virtual-clock.mjs'
import { mostInTime, poissonTrace, quickTraces, traces } from './traces.mjs'

const sized = (batches) => async (inputs) => {
  batches.push(inputs.length)
  return inputs.map((input) => -input)
}

test('there are twenty traces, the same each time, in order of time, as loud as they say', () => {
  const all = traces({ capacity: 5000, seconds: 4 })
  expect(new Set(all.map(({ name }) => name)).size).toBe(20)
  expect(traces({ capacity: 5000, seconds: 4 })).toEqual(all)
  expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining(quickTraces))
  for (const { name, arrivals } of all) {
    if (arrivals === undefined) continue
    expect(arrivals, name).toEqual(arrivals.toSorted((a, b) => a - b))
    expect(arrivals.at(-1), name).toBeLessThan(4000)
    const load = Number(/^poisson (.+)$/.exec(name)?.[1])
    if (load >= 0.2) expect(arrivals.length / (4 * 5000 * load), name).toBeCloseTo(1, 1)
  }
})

test('nobody answers more in time than the most that a trace allows: what fits one after the other at the full rate', () => {
  expect(mostInTime([0, 0, 0, 0, 0], { capacity: 1000, targetMs: 3 })).toBe(3)
  expect(mostInTime([0, 0, 0, 0, 2, 10], { capacity: 1000, targetMs: 3 })).toBe(5)
  expect(mostInTime([], { capacity: 1000, targetMs: 3 })).toBe(0)
})

test('the static batcher sends what is full at once, the rest after the wait of the oldest, one batch at a time', async () => {
  const batches = []
  const batcher = new StaticBatcher({ run: sized(batches), maxBatchSize: 4, maxWaitMs: 5 })
  const outputs = await Promise.all([1, 2, 3, 4, 5, 6].map((input) => batcher.submit(input)))
  expect(outputs).toEqual([-1, -2, -3, -4, -5, -6])
  expect(batches).toEqual([4, 2])
})

test('a run that throws rejects its batch, and the next one runs', async () => {
  let calls = 0
  const run = async (inputs) => {
    if (calls++ === 0) throw new Error('first')
    return inputs
  }
  for (const batcher of [
    new StaticBatcher({ run, maxBatchSize: 1, maxWaitMs: 0 }),
    new BentomlBatcher({ run, maxBatchSize: 1, maxLatencyMs: 1000 }),
  ]) {
    calls = 0
    const results = await Promise.allSettled([batcher.submit(1), batcher.submit(2)])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  }
})

test("BentoML's rule tries small batches first, answers all, and cancels what it predicts to be late", async () => {
  const batches = []
  const batcher = new BentomlBatcher({ run: sized(batches), maxBatchSize: 32, maxLatencyMs: 1000 })
  const inputs = Array.from({ length: 40 }, (_, index) => index)
  expect(await Promise.all(inputs.map((input) => batcher.submit(input)))).toEqual(
    inputs.map((input) => -input),
  )
  expect(batches.slice(0, 6)).toEqual([1, 1, 1, 1, 2, 3])
  const impatient = new BentomlBatcher({ run: sized([]), maxBatchSize: 32, maxLatencyMs: 0.001 })
  const results = await Promise.allSettled([impatient.submit(1), impatient.submit(2), impatient.submit(3)])
  expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0)
})

test('a line is fitted by least squares, and through the origin’s side where all batches are alike', () => {
  const line = [1, 4, 32].map((count) => ({ count, durationMs: 3 + 0.5 * count }))
  expect(fitLine(line).slope).toBeCloseTo(0.5)
  expect(fitLine(line).intercept).toBeCloseTo(3)
  expect(fitLine([{ count: 1, durationMs: 4 }])).toEqual({ slope: 2, intercept: 2 })
})

test('the open loop counts latency from when a request was due, and goodput only what came in time', async () => {
  const { arrivals } = poissonTrace({ capacity: 1000, load: 0.5, seconds: 0.2 })
  const submit = (index) => (index % 2 === 0 ? Promise.resolve() : Promise.reject(new Error('refused')))
  const played = await playOpen({ arrivals, submit, graceMs: 5 })
  expect(played.lateMs.every((ms) => ms >= 0)).toBe(true)
  const answered = Math.ceil(arrivals.length / 2)
  expect(summarise(played, { targetMs: 1000, seconds: 0.2 })).toMatchObject({
    goodput: answered / 0.2,
    answered,
    requests: arrivals.length,
  })
  const blocked = await playOpen({
    arrivals: [0, 1],
    submit: () => {
      for (const start = performance.now(); performance.now() - start < 20;);
      return Promise.resolve()
    },
    graceMs: 5,
  })
  expect(blocked.latencyMs[1]).toBeGreaterThan(35)
})

test('a closed loop never has more requests under way than clients', async () => {
  let active = 0
  let most = 0
  await playClosed({
    clients: 3,
    thinkMs: 0,
    milliseconds: 30,
    graceMs: 20,
    submit: async () => {
      most = Math.max(most, ++active)
      await new Promise((resolve) => {
        setTimeout(resolve, 2)
      })
      active -= 1
    },
  })
  expect(most).toBe(3)
})

test('an ONNX file holds its weights as they are', () => {
  const weight = Float32Array.of(1.5, -2)
  const file = onnxMlp([{ weight, bias: Float32Array.of(7), inputs: 2, outputs: 1 }])
  expect(file.includes(Buffer.from(weight.buffer))).toBe(true)
})

test('virtual time passes from event to event, in their order, and gives the real clock back', async () => {
  const clock = new VirtualClock()
  const before = performance.now()
  const seen = []
  await clock.run(async () => {
    const cancelled = setTimeout(() => seen.push('cancelled'), 5)
    setTimeout(() => seen.push(['timer', performance.now()]), 3_600_000)
    clock.after(10, () => seen.push(['event', performance.now()]))
    setImmediate(() => clearTimeout(cancelled))
    await new Promise((resolve) => {
      setTimeout(resolve, 7_200_000)
    })
  })
  expect(seen).toEqual([
    ['event', 10],
    ['timer', 3_600_000.03],
  ])
  expect(performance.now() - before).toBeLessThan(60_000)
})
