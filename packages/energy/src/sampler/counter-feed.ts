import { describeError } from '../check.js'
import type { Clock } from '../source.js'

/** What several counters gave when they were read together. */
export interface CounterRow {
  /** When the reads had begun, in seconds of the process's monotonic clock. */
  readonly since: number
  /** When they had ended. */
  readonly time: number
  /** As the counter counts, or why it could not be read; in the order of the counters. */
  readonly values: readonly (number | string)[]
}

/** Where the reads of several counters come from. */
export interface CounterFeed {
  /** The rows since the last call, oldest first; the last one is read now, after `close` too. */
  take(): readonly CounterRow[]
  /** Ends what reads in the background. */
  close(): void
}

/** Reads when it is asked, and only then. */
export function directFeed(reads: readonly (() => number)[], now: Clock): CounterFeed {
  return {
    take() {
      const since = now()
      const values = reads.map(tryRead)
      return [{ since, time: now(), values }]
    },
    close() {},
  }
}

function tryRead(read: () => number): number | string {
  try {
    return read()
  } catch (error) {
    return describeError(error)
  }
}
