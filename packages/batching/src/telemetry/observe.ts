import type { Attributes, BatchObservableResult, Observable } from '@opentelemetry/api'
import type { BatcherStats } from '../batcher/batcher-stats.js'

type Api = typeof import('@opentelemetry/api')

/** One batch that ran. */
export interface RanBatch {
  readonly items: number
  /** Milliseconds from arrival to dispatch, summed over its requests. */
  readonly queueMs: number
  readonly runMs: number
}

export interface Telemetry {
  /** Records a batch, at the cost of one call. */
  ran(batch: RanBatch): void
}

export interface ObserveOptions {
  /** Attribute `bio.batcher.name` of every measurement. */
  readonly name: string
  /** Read at each collection for as long as somebody else holds it. */
  readonly source: { stats(): BatcherStats }
  /** Gives undefined where OpenTelemetry is not installed. */
  readonly loadApi?: () => Promise<Api | undefined>
}

/** Seconds; OpenTelemetry's own defaults are for milliseconds. */
const boundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * Reports a batcher to the global meter provider of `@opentelemetry/api`, if that can be imported, and does nothing otherwise. The provider
 * must be registered before the batcher is made: OpenTelemetry gives no second chance.
 *
 * | instrument | kind, unit | attribute beside the name |
 * | --- | --- | --- |
 * | `bio.batcher.requests.submitted` | counter, requests | |
 * | `bio.batcher.requests.ended` | counter, requests | `bio.batcher.outcome`: completed, failed, cancelled, expired, rejected |
 * | `bio.batcher.requests.active` | up-down counter, requests | `bio.batcher.state`: queued, running |
 * | `bio.batcher.batches`, `bio.batcher.bisections` | counters, batches and runs | |
 * | `bio.batcher.occupancy` | gauge, 0…1 | |
 * | `bio.batcher.queue.duration` | histogram, s | one value for each batch: the mean of its requests |
 * | `bio.batcher.run.duration` | histogram, s | one value for each batch |
 */
export function observe({ name, source, loadApi = importApi }: ObserveOptions): Telemetry {
  const attributes = { 'bio.batcher.name': name }
  const early: RanBatch[] = [] // what runs before the import is done
  let record: (batch: RanBatch) => void = (batch) => void early.push(batch)
  const start = instrument(attributes, new WeakRef(source)) // weak: a meter must not keep a batcher that was dropped
  void loadApi().then((api) => {
    record = api === undefined ? () => {} : start(api)
    for (const batch of early.splice(0)) record(batch)
  })
  return { ran: (batch) => record(batch) }
}

async function importApi(): Promise<Api | undefined> {
  try {
    return await import('@opentelemetry/api')
  } catch {
    return undefined
  }
}

function instrument(attributes: Attributes, source: WeakRef<ObserveOptions['source']>) {
  return ({ metrics }: Api): ((batch: RanBatch) => void) => {
    const meter = metrics.getMeter('@bio/batching')
    const requests = { unit: '{request}' }
    const submitted = meter.createObservableCounter('bio.batcher.requests.submitted', requests)
    const ended = meter.createObservableCounter('bio.batcher.requests.ended', requests)
    const active = meter.createObservableUpDownCounter('bio.batcher.requests.active', requests)
    const batches = meter.createObservableCounter('bio.batcher.batches', { unit: '{batch}' })
    const bisections = meter.createObservableCounter('bio.batcher.bisections', { unit: '{run}' })
    const occupancy = meter.createObservableGauge('bio.batcher.occupancy', { unit: '1' })
    const observables: Observable[] = [submitted, ended, active, batches, bisections, occupancy]
    const collect = (result: BatchObservableResult): void => {
      const stats = source.deref()?.stats()
      // Not at once: the meter is going through its callbacks.
      if (stats === undefined)
        return queueMicrotask(() => meter.removeBatchObservableCallback(collect, observables))
      result.observe(submitted, stats.submitted, attributes)
      for (const outcome of ['completed', 'failed', 'cancelled', 'expired', 'rejected'] as const)
        result.observe(ended, stats[outcome], { ...attributes, 'bio.batcher.outcome': outcome })
      for (const state of ['queued', 'running'] as const)
        result.observe(active, stats[state], { ...attributes, 'bio.batcher.state': state })
      result.observe(batches, stats.batches, attributes)
      result.observe(bisections, stats.bisections, attributes)
      result.observe(occupancy, stats.occupancy, attributes)
    }
    meter.addBatchObservableCallback(collect, observables)
    const seconds = { unit: 's', advice: { explicitBucketBoundaries: boundaries } }
    const queueTime = meter.createHistogram('bio.batcher.queue.duration', seconds)
    const runTime = meter.createHistogram('bio.batcher.run.duration', seconds)
    return ({ items, queueMs, runMs }) => {
      queueTime.record(queueMs / items / 1000, attributes)
      runTime.record(runMs / 1000, attributes)
    }
  }
}
