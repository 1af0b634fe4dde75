import type { Attempt } from './attempt.js'
import type { BatcherStats } from './batcher-stats.js'

type Count = 'submitted' | 'completed' | 'failed' | 'cancelled' | 'expired' | 'rejected' | 'bisections'

/** The counts and means behind `stats()`. */
export class BatcherLedger {
  readonly counts: Record<Count, number> = {
    submitted: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
    rejected: 0,
    bisections: 0,
  }
  #batches = 0
  #items = 0
  #queueMs = 0
  #runs = 0
  #runMs = 0

  /** A batch left the queue. */
  dispatched({ tickets, queueMs }: Attempt<unknown, unknown>): void {
    this.#batches += 1
    this.#items += tickets.length
    this.#queueMs += queueMs
  }

  /** A call of `run` returned. */
  ran(ms: number): void {
    this.#runs += 1
    this.#runMs += ms
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
