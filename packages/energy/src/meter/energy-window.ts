import { joinReadings } from '../reading/arithmetic.js'
import { unavailableReading, withReasons, type Reading } from '../reading/reading.js'
import type { EnergySpan } from '../source.js'

/**
 * A stretch of time whose energy is wanted; made by `meter.begin`. Windows may nest and overlap. End it with `end()` or `using`;
 * one that is never ended holds nothing.
 */
export class EnergyWindow implements Disposable {
  readonly label: string
  readonly #spans: readonly EnergySpan[]
  readonly #reasons: readonly string[]
  readonly #start: number
  #ended: { readonly total: Reading; readonly bySource: readonly Reading[] } | undefined

  /** Made by `meter.begin`. */
  constructor(label: string, spans: readonly EnergySpan[], reasons: readonly string[]) {
    this.label = label
    this.#spans = spans
    this.#reasons = reasons
    this.#start = performance.now()
  }

  /** The energy of all sources since the window began, or until it ended. */
  read(): Reading {
    return this.#ended?.total ?? this.#join(this.readSources())
  }

  /** The same, one reading per source: the package and its DRAM, the GPUs, … */
  readSources(): readonly Reading[] {
    return this.#ended?.bySource ?? this.#spans.map((span) => span.read())
  }

  /** Ends the window; later calls return the same. */
  end(): Reading {
    if (this.#ended === undefined) {
      const bySource = this.readSources()
      this.#ended = { bySource, total: this.#join(bySource) }
    }
    return this.#ended.total
  }

  [Symbol.dispose](): void {
    this.end()
  }

  #join(readings: readonly Reading[]): Reading {
    if (readings.length === 0) {
      const seconds = (performance.now() - this.#start) / 1000
      const reasons = [...this.#reasons, 'no energy source is usable']
      return unavailableReading({ source: 'none', seconds, reasons })
    }
    // Most machines have one source: its reading is the whole.
    const joined = readings.length === 1 ? readings[0]! : joinReadings(readings)
    return withReasons(this.#reasons, joined)
  }
}
