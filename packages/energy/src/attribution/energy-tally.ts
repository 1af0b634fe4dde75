import { createReading, unavailableReading, type Reading } from '../reading/reading.js'

/** Sums shares of readings, cheaply enough to do it for every request of every step. */
export class EnergyTally {
  #joules = 0
  #low = 0
  #high = 0
  #seconds = 0
  #samples = 0
  #wraps = 0
  #coverage = 1
  #estimated = false
  #unknown = false
  #source = 'none'
  #domains: readonly string[] = []
  readonly #reasons = new Set<string>()
  /** The reasons of a source are mostly the same list, step after step. */
  #lastReasons: readonly string[] | undefined

  add(reading: Reading, share: number): void {
    this.#seconds += reading.seconds
    this.#samples += reading.samples
    this.#wraps += reading.wraps
    this.#coverage = Math.min(this.#coverage, reading.coverage)
    this.#source = reading.source
    this.#domains = reading.domains
    this.#explain(reading.reasons)
    if (reading.joules === null) {
      this.#unknown = true
      return
    }
    this.#joules += share * reading.joules
    this.#low += share * reading.low
    this.#high += share * reading.high
    this.#estimated ||= reading.method === 'estimated'
  }

  /** Takes in another tally, whole. */
  merge(other: EnergyTally): void {
    this.add(other.reading(), 1)
  }

  /** A share is at best `derived` and belongs to a `process`; one part unknown makes it unknown. */
  reading(): Reading {
    const fields = {
      source: this.#source,
      domains: this.#domains,
      boundary: 'process' as const,
      seconds: this.#seconds,
      samples: this.#samples,
      wraps: this.#wraps,
      reasons: [...this.#reasons],
    }
    if (this.#unknown) return unavailableReading(fields)
    return createReading({
      ...fields,
      coverage: this.#coverage,
      joules: this.#joules,
      low: this.#low,
      high: this.#high,
      method: this.#estimated ? 'estimated' : 'derived',
    })
  }

  #explain(reasons: readonly string[]): void {
    if (reasons === this.#lastReasons) return
    this.#lastReasons = reasons
    for (const reason of reasons) this.#reasons.add(reason)
  }
}
