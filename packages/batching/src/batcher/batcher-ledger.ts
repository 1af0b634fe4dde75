import { MovingAverage } from '../moving-average.js'
import type { BatcherStats } from './batcher-stats.js'

type Count = 'submitted' | 'completed' | 'failed' | 'cancelled' | 'expired' | 'rejected'

/** The counts behind `stats()`, and the pace behind `retryAfterMs`. */
export class BatcherLedger {
  readonly counts: Record<Count, number> = {
    submitted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
    rejected: 0,
  }
  #batches = 0
  #items = 0
  #queueMs = 0
  #runs = 0
  #runMs = 0
  readonly recentRunMs: MovingAverage = new MovingAverage()

  dispatched(items: number, queueMs: number): void {
    this.#batches += 1
    this.#items += items
    this.#queueMs += queueMs
  }

  ran(ms: number): void {
    this.#runs += 1
    this.#runMs += ms
    this.recentRunMs.add(ms)
  }

  snapshot(maxBatchSize: number, queued: number): BatcherStats {
    const { submitted, completed, failed, cancelled, expired } = this.counts
    return {
      ...this.counts,
      queued,
      running: submitted - queued - completed - failed - cancelled - expired,
      batches: this.#batches,
      occupancy: ratio(this.#items, this.#batches * maxBatchSize),
      meanQueueMs: ratio(this.#queueMs, this.#items),
      meanRunMs: ratio(this.#runMs, this.#runs),
    }
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}
