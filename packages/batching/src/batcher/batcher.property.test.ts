import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Batcher, type BatcherStats } from '../index.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const outcomes = ['ok', 'some fail', 'throw', 'wrong count'] as const

const event = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('submit' as const),
      deadlineMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 25 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('abort' as const), pick: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      pick: fc.nat(),
      outcome: fc.constantFrom(...outcomes),
    }),
  },
)

const plan = fc.record({
  maxBatchSize: fc.integer({ min: 1, max: 5 }),
  maxWaitMs: fc.integer({ min: 0, max: 20 }),
  maxQueue: fc.integer({ min: 1, max: 12 }),
  concurrency: fc.integer({ min: 1, max: 3 }),
  events: fc.array(event, { maxLength: 60 }),
  hang: fc.boolean(),
})

interface Entry {
  readonly id: number
  readonly arrivedAt: number
  readonly deadlineMs: number | undefined
  readonly controller: AbortController
  /** Neither aborted, nor late, nor given up by a drain. */
  readonly wanted: () => boolean
  abortedWhileQueued: boolean
  dispatched: boolean
  readonly settlements: string[]
}

test('whatever happens: one settlement each, batches within the limit and in order of arrival, no wait over the bound', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ events, hang, ...limits }) => {
      const entries: Entry[] = []
      const running: { ids: readonly number[]; end: (outcome: (typeof outcomes)[number]) => void }[] = []
      const foreignTimers = vi.getTimerCount() // fast-check has some of its own
      const broken: string[] = [] // an assertion inside run would only reject its batch
      const demand = (promise: string, kept: boolean): void => void (kept || broken.push(promise))
      let lastId = -1
      let givesUpAt = Infinity
      const batcher = new Batcher<number, string>({
        ...limits,
        run: (ids, { signal }) => {
          demand('batch within maxBatchSize', ids.length <= limits.maxBatchSize)
          demand('runs within concurrency', running.length < limits.concurrency)
          for (const id of ids) {
            if (entries[id]!.deadlineMs === undefined) {
              demand('arrival order, where no deadline says otherwise', id > lastId)
              lastId = id
            }
            demand('an aborted request never runs', !entries[id]!.abortedWhileQueued)
            entries[id]!.dispatched = true
          }
          signal.addEventListener('abort', () => {
            demand('a wanted run is not aborted', !ids.some((id) => entries[id]!.wanted()))
          })
          return new Promise((resolve, reject) => {
            const batch = {
              ids,
              end: (outcome: (typeof outcomes)[number]) => {
                running.splice(running.indexOf(batch), 1)
                if (outcome === 'throw') reject(new Error('thrown'))
                else if (outcome === 'wrong count') resolve([])
                else
                  resolve(
                    ids.map((id) =>
                      outcome === 'some fail' && id % 2 === 1 ? new Error('item') : `out ${id}`,
                    ),
                  )
              },
            }
            running.push(batch)
          })
        },
      })
      const submit = async (deadlineMs: number | undefined): Promise<void> => {
        const controller = new AbortController()
        const arrivedAt = performance.now()
        const entry: Entry = {
          id: entries.length,
          arrivedAt,
          deadlineMs,
          controller,
          wanted: () =>
            !controller.signal.aborted &&
            performance.now() < Math.min(arrivedAt + (deadlineMs ?? Infinity), givesUpAt),
          abortedWhileQueued: false,
          dispatched: false,
          settlements: [],
        }
        const before = batcher.stats()
        entries.push(entry)
        batcher
          .submit(entry.id, {
            signal: controller.signal,
            ...(deadlineMs === undefined ? {} : { deadlineMs }),
          })
          .then(
            (output) => entry.settlements.push(output === `out ${entry.id}` ? 'output' : 'foreign output'),
            (error: { code?: string }) => entry.settlements.push(error.code ?? 'error'),
          )
        await vi.advanceTimersByTimeAsync(0)
        // a deadline that cannot be kept is refused with room left
        if (before.queued >= limits.maxQueue || deadlineMs === undefined)
          expect(entry.settlements.includes('ERR_BIO_QUEUE_FULL')).toBe(before.queued >= limits.maxQueue)
      }
      for (const step of events) {
        if (step.type === 'submit') await submit(step.deadlineMs)
        else if (step.type === 'advance') await vi.advanceTimersByTimeAsync(step.ms)
        else if (step.type === 'abort' && entries.length > 0) {
          const entry = entries[step.pick % entries.length]!
          entry.abortedWhileQueued = !entry.dispatched
          entry.controller.abort(new Error('aborted'))
        } else if (step.type === 'end' && running.length > 0)
          running[step.pick % running.length]!.end(step.outcome)
        await vi.advanceTimersByTimeAsync(0)
        checkCounts(batcher.stats(), entries)
        if (running.length < limits.concurrency)
          for (const entry of entries)
            if (!entry.dispatched && entry.settlements.length === 0)
              expect(performance.now() - entry.arrivedAt).toBeLessThanOrEqual(limits.maxWaitMs)
      }
      givesUpAt = performance.now() + 500
      const drained = batcher.drain({ timeoutMs: 500 })
      for (let turn = 0; turn < (hang ? 0 : 100); turn++) {
        running[0]?.end('ok')
        await vi.advanceTimersByTimeAsync(0)
      }
      if (hang) await vi.advanceTimersByTimeAsync(500)
      await drained
      await vi.advanceTimersByTimeAsync(0)
      expect(broken).toEqual([])
      for (const entry of entries) {
        expect(entry.settlements).toHaveLength(1)
        expect(entry.settlements).not.toContain('foreign output')
      }
      expect(batcher.stats()).toMatchObject({ queued: 0, running: 0 })
      expect(vi.getTimerCount()).toBeLessThanOrEqual(foreignTimers) // no deadline or wait timer is left behind
    }),
    { numRuns: 300 },
  )
})

function checkCounts(stats: BatcherStats, entries: readonly Entry[]): void {
  const unsettled = entries.filter((entry) => entry.settlements.length === 0)
  expect(stats.running).toBe(unsettled.filter((entry) => entry.dispatched).length)
  expect(stats.queued).toBe(unsettled.filter((entry) => !entry.dispatched).length)
  expect(stats.submitted + stats.rejected).toBe(entries.length)
}
