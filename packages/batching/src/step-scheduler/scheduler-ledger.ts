import { MovingAverage } from '../moving-average.js'
import type { CachedSequence } from './contract.js'
import type { ScheduledRequest } from './scheduled-request.js'
import type { SchedulerStats } from './scheduler-stats.js'

/** How a request can end. */
export type Ending = 'finished' | 'aborted' | 'expired' | 'failed'

/** Counts what a scheduler did. */
export class SchedulerLedger {
  readonly counts: Record<
    Ending | 'submitted' | 'rejected' | 'steps' | 'prefilledTokens' | 'generatedTokens',
    number
  > = {
    submitted: 0,
    finished: 0,
    aborted: 0,
    expired: 0,
    failed: 0,
    rejected: 0,
    steps: 0,
    prefilledTokens: 0,
    generatedTokens: 0,
  }
  /** Milliseconds from admission to the end of recent finished requests. */
  readonly residenceMs: MovingAverage = new MovingAverage()
  #items = 0

  stepped(items: number): void {
    this.counts.steps += 1
    this.#items += items
  }

  ended({ admittedAt }: ScheduledRequest<CachedSequence, unknown>, ending: Ending): void {
    this.counts[ending] += 1
    if (ending === 'finished' && admittedAt !== undefined)
      this.residenceMs.add(performance.now() - admittedAt)
  }

  snapshot(
    maxSequences: number,
    now: Pick<SchedulerStats, 'waiting' | 'running' | 'preemptions' | 'cachedTokens'>,
  ): SchedulerStats {
    const { steps } = this.counts
    return { ...this.counts, ...now, occupancy: steps === 0 ? 0 : this.#items / (steps * maxSequences) }
  }
}
