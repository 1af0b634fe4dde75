/** What a `StepScheduler` has done so far. */
export interface SchedulerStats {
  /** Requests accepted: waiting + running + finished + aborted + expired + failed. */
  readonly submitted: number
  readonly waiting: number
  readonly running: number
  /** Ended by a stop condition or their length. */
  readonly finished: number
  readonly aborted: number
  /** Not finished within their `deadlineMs`. */
  readonly expired: number
  readonly failed: number
  /** Never accepted: the queue was full. */
  readonly rejected: number
  /** Steps of the engine. */
  readonly steps: number
  /** Mean items per step over `maxSequences`, 0…1; 0 before the first step. */
  readonly occupancy: number
  readonly preemptions: number
  /** Tokens found in the cache at first admissions. */
  readonly cachedTokens: number
  /** Tokens computed in prefill; what was recomputed after a preemption counts again. */
  readonly prefilledTokens: number
  readonly generatedTokens: number
}
