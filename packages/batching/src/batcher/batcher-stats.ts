/** What a `Batcher` has done so far. Every submitted request is counted in exactly one other count. */
export interface BatcherStats {
  /** Requests accepted: queued + running + completed + failed + cancelled + expired. */
  readonly submitted: number
  /** Requests waiting now. */
  readonly queued: number
  /** Requests in a batch that runs now. */
  readonly running: number
  readonly completed: number
  /** Rejected by an error of `run`, a per-item error or a drain that gave up. */
  readonly failed: number
  /** Withdrawn by their signal. */
  readonly cancelled: number
  /** Withdrawn by their deadline. */
  readonly expired: number
  /** Never accepted: the queue was full, or the input is in quarantine. */
  readonly rejected: number
  /** Calls of `run` beyond the first of a batch, made to find out which of its requests fail. */
  readonly bisections: number
  /** Batches that left the queue. */
  readonly batches: number
  /** Mean requests per batch over `maxBatchSize`, 0…1; 0 before the first batch. */
  readonly occupancy: number
  /** Mean milliseconds from arrival to dispatch of the requests dispatched. */
  readonly meanQueueMs: number
  /** Mean milliseconds of the calls of `run` that ended. */
  readonly meanRunMs: number
}
