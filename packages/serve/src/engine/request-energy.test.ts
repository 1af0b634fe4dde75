import { Batcher, StepScheduler, type StepItem } from '@bio/batching'
import {
  defaultSources,
  EnergyMeter,
  RequestEnergy,
  type Reading,
  type RequestEnergyTotals,
} from '@bio/energy'
import { expect, test } from 'vitest'

interface Job {
  readonly name: string
  readonly rows: number
}

const openMeter = (): Promise<EnergyMeter> =>
  EnergyMeter.open({ sources: defaultSources({ scope: 'process' }) })

function spin(milliseconds: number): void {
  const until = performance.now() + milliseconds
  while (performance.now() < until) Math.hypot(1, 2)
}

/** Σ requests + idle = window, to 1e-9. */
function expectSum(requests: readonly Reading[], { idle, total, unclaimed }: RequestEnergyTotals): void {
  const parts = [...requests, idle, unclaimed].map(({ joules }) => joules)
  expect(parts).not.toContain(null)
  const sum = parts.reduce<number>((all, part) => all + part!, 0)
  expect(Math.abs(sum / total.joules! - 1)).toBeLessThanOrEqual(1e-9)
}

test('a StepScheduler’s requests and idle sum to the window, keyed by the request’s own number', async () => {
  await using meter = await openMeter()
  type Item = StepItem<{ readonly cachedTokens: number }, null>
  const seen = new Set<number>()
  const energy = new RequestEnergy({
    meter,
    key: ({ id }: Item) => id,
    cost: ({ tokens }) => tokens.length,
    fixedCost: 4,
  })
  await using scheduler = new StepScheduler({
    cache: {
      blockTokens: 16,
      open: () => ({ cachedTokens: 0, reserve: () => true, commit() {}, close() {} }),
    },
    engine: {
      step: energy.wrap((items: readonly Item[]) => {
        spin(1)
        for (const { id } of items) seen.add(id)
        return items.map(() => 1)
      }),
    },
    maxTokensPerStep: 32,
    maxSequences: 4,
  })
  const generations = Array.from({ length: 10 }, (_, index) =>
    scheduler.submit({ prompt: new Int32Array(index + 1), maxTokens: 5, sampling: null }),
  )
  await Promise.all(generations.map(({ result }) => result))
  const totals = energy.read()
  const requests = [...seen].map((id) => energy.take(id))
  expect(requests).toHaveLength(10)
  expectSum(requests, totals)
  // The longest prompt has ten times the tokens of prefill; decodes are alike.
  expect(requests[9]!.joules).toBeGreaterThan(requests[0]!.joules!)
})

test('a Batcher’s runs do too, several at a time, those that fail included', async () => {
  await using meter = await openMeter()
  const energy = new RequestEnergy({ meter, key: ({ name }: Job) => name, cost: ({ rows }) => rows })
  let runs = 0
  const batcher = new Batcher<Job, number>({
    run: energy.wrap(async (jobs: readonly Job[]) => {
      const fails = ++runs % 3 === 0
      spin(1)
      await new Promise((resolve) => setTimeout(resolve, 2))
      if (fails) throw new Error('this run')
      return jobs.map(({ rows }) => rows)
    }),
    maxBatchSize: 3,
    maxWaitMs: 0,
    concurrency: 3,
  })
  const jobs = Array.from({ length: 20 }, (_, index) => ({ name: `job ${index}`, rows: (index % 5) + 1 }))
  const settled = await Promise.allSettled(jobs.map((job) => batcher.submit(job)))
  expect(settled.some(({ status }) => status === 'rejected')).toBe(true)
  await batcher.drain()
  const totals = energy.read()
  const requests = jobs.map(({ name }) => energy.take(name))
  expectSum(requests, totals)
  for (const { joules } of requests) expect(joules).toBeGreaterThan(0)
})
