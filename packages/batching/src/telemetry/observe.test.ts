import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { metrics } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher } from '../batcher/batcher.js'
import type { BatcherStats } from '../batcher/batcher-stats.js'
import { observe } from './observe.js'

const stats: BatcherStats = {
  submitted: 21,
  queued: 4,
  running: 2,
  completed: 8,
  failed: 3,
  cancelled: 2,
  expired: 1,
  rejected: 5,
  bisections: 6,
  batches: 7,
  occupancy: 0.75,
  meanQueueMs: 0,
  meanRunMs: 0,
}

let exporter: InMemoryMetricExporter
let provider: MeterProvider

/** Cumulative exports repeat the last value of a series for ever, delta exports only what was observed anew. */
function startProvider(temporality: AggregationTemporality): void {
  metrics.disable()
  exporter = new InMemoryMetricExporter(temporality)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })
  provider = new MeterProvider({ readers: [reader] })
  metrics.setGlobalMeterProvider(provider)
}

beforeEach(() => startProvider(AggregationTemporality.CUMULATIVE))
afterEach(async () => {
  await provider.shutdown()
  metrics.disable()
})

/** Each point as `instrument[unit]{attributes}`, with its value. */
async function collected(): Promise<Record<string, unknown>> {
  exporter.reset()
  await provider.forceFlush()
  const points: Record<string, unknown> = {}
  for (const { scopeMetrics } of exporter.getMetrics())
    for (const { scope, metrics: instruments } of scopeMetrics)
      for (const { descriptor, dataPoints } of instruments)
        for (const { attributes, value } of dataPoints) {
          expect(scope.name).toBe('@bio/batching')
          points[`${descriptor.name}[${descriptor.unit}]{${Object.values(attributes).join()}}`] = value
        }
  return points
}

test('a collection reads the counts of every outcome and state', async () => {
  const source = { stats: () => stats }
  observe({ name: 'digits', source })
  await vi.waitFor(async () => expect(await collected()).not.toEqual({}))
  expect(await collected()).toEqual({
    'bio.batcher.requests.submitted[{request}]{digits}': 21,
    'bio.batcher.requests.ended[{request}]{digits,completed}': 8,
    'bio.batcher.requests.ended[{request}]{digits,failed}': 3,
    'bio.batcher.requests.ended[{request}]{digits,cancelled}': 2,
    'bio.batcher.requests.ended[{request}]{digits,expired}': 1,
    'bio.batcher.requests.ended[{request}]{digits,rejected}': 5,
    'bio.batcher.requests.active[{request}]{digits,queued}': 4,
    'bio.batcher.requests.active[{request}]{digits,running}': 2,
    'bio.batcher.batches[{batch}]{digits}': 7,
    'bio.batcher.bisections[{run}]{digits}': 6,
    'bio.batcher.occupancy[1]{digits}': 0.75,
  })
  expect(source.stats().submitted).toBe(21) // it is held until here
})

test('durations are in seconds, those of batches before the import included', async () => {
  const source = { stats: () => stats }
  const telemetry = observe({ name: 'digits', source })
  telemetry.ran({ items: 4, queueMs: 40, runMs: 30 })
  await vi.waitFor(async () => expect(await collected()).not.toEqual({}))
  telemetry.ran({ items: 1, queueMs: 2, runMs: 700 })
  const points = await collected()
  expect(points['bio.batcher.queue.duration[s]{digits}']).toMatchObject({ count: 2, min: 0.002, max: 0.01 })
  expect(points['bio.batcher.run.duration[s]{digits}']).toMatchObject({ count: 2, min: 0.03, max: 0.7 })
})

test('two batchers are told apart by their names', async () => {
  const sources = [{ stats: () => stats }, { stats: () => ({ ...stats, submitted: 99 }) }]
  for (const [index, source] of sources.entries()) observe({ name: `batcher ${index}`, source })
  await vi.waitFor(async () =>
    expect(await collected()).toMatchObject({
      'bio.batcher.requests.submitted[{request}]{batcher 0}': 21,
      'bio.batcher.requests.submitted[{request}]{batcher 1}': 99,
    }),
  )
  expect(sources).toHaveLength(2) // they are held until here
})

test('a Batcher reports under its name what it did', async () => {
  const batcher = new Batcher({
    run: (inputs: readonly number[]) => inputs.map((input) => (input < 0 ? new Error('negative') : input)),
    maxBatchSize: 4,
    name: 'roots',
  })
  await Promise.allSettled([1, 2, -3].map((input) => batcher.submit(input)))
  await vi.waitFor(async () =>
    expect(await collected()).toMatchObject({
      'bio.batcher.requests.submitted[{request}]{roots}': 3,
      'bio.batcher.requests.ended[{request}]{roots,completed}': 2,
      'bio.batcher.requests.ended[{request}]{roots,failed}': 1,
      'bio.batcher.occupancy[1]{roots}': 0.75,
      'bio.batcher.run.duration[s]{roots}': { count: 1 },
    }),
  )
  await batcher.drain()
})

test('a Batcher that nobody else holds can be collected, and is then observed no more', async () => {
  startProvider(AggregationTemporality.DELTA)
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const held = { stats: () => stats }
  const dropped = await (async (): Promise<WeakRef<object>> => {
    const batcher = new Batcher({
      run: (inputs: readonly number[]) => inputs,
      maxBatchSize: 4,
      name: 'dropped',
    })
    await batcher.submit(1)
    return new WeakRef(batcher)
  })()
  observe({ name: 'held', source: held })
  await vi.waitFor(async () => expect(Object.keys(await collected()).join()).toContain('held'))
  await vi.waitFor(() => {
    collectGarbage()
    expect(dropped.deref()).toBeUndefined()
  })
  await collected() // the callback finds out
  const points = Object.keys(await collected()).filter((point) => point.includes('occupancy'))
  expect(points.join()).toContain('held')
  expect(points.join()).not.toContain('dropped')
  expect(held.stats().submitted).toBe(21) // it is held until here
})

test('without OpenTelemetry nothing happens, and nothing is kept', async () => {
  const read = vi.fn(() => stats)
  const loaded = Promise.resolve(undefined)
  const telemetry = observe({ name: 'digits', source: { stats: read }, loadApi: () => loaded })
  telemetry.ran({ items: 1, queueMs: 1, runMs: 1 })
  await loaded
  telemetry.ran({ items: 1, queueMs: 1, runMs: 1 })
  expect(await collected()).toEqual({})
  expect(read).not.toHaveBeenCalled()
})
