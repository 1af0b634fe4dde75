import type { CounterSample } from '../counter/counter-account.js'
import type { CounterFeed } from './counter-feed.js'

/** A read may fail for a moment (EINVAL of a busy driver): this often it is tried at once before it counts as failed. */
const attempts = 3

/** Hands the reads of a feed to those who account for them, one for each counter. */
export class CounterGroup {
  readonly #feed: CounterFeed
  readonly #takers: readonly ((sample: CounterSample) => void)[]
  /** Counters that have given a number: what some GPUs never do is not tried again each time. */
  readonly #worked = new Set<number>()

  constructor(feed: CounterFeed, takers: readonly ((sample: CounterSample) => void)[]) {
    this.#feed = feed
    this.#takers = takers
  }

  /** Reads now; what was read in the background since the last call comes first. */
  pull(): void {
    for (let attempt = 1; attempt <= attempts; attempt++) {
      let failed = false
      for (const { since, time, values } of this.#feed.take()) {
        failed = false
        this.#takers.forEach((take, index) => {
          const value = values[index] ?? 'the counter was not read'
          if (typeof value === 'number') this.#worked.add(index)
          else failed ||= this.#worked.has(index)
          take({ value, time, since })
        })
      }
      if (!failed) return
    }
  }

  /** Takes in what was read so far and ends the reading in the background; `pull` still works. */
  close(): void {
    this.pull()
    this.#feed.close()
  }
}
