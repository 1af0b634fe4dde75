import type { EnergyWindow } from '../meter/energy-window.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'

/** What was used between two cuts. */
export interface Segment {
  /** Null when nobody knows, and then `reasons` say why. */
  readonly joules: number | null
  readonly seconds: number
  readonly reasons: readonly string[]
}

/** A step that runs: its own window gives the bounds, the segments that it was part of give the joules. */
export class RunningStep {
  readonly #window: EnergyWindow
  #joules = 0
  /** The smallest and the largest part that it had of a segment. */
  #least = 1
  #most = 0
  #unknown: readonly string[] | undefined

  constructor(window: EnergyWindow) {
    this.#window = window
  }

  /** Takes its part, above 0 up to 1, of a segment. */
  add({ joules, reasons }: Segment, part: number): void {
    this.#least = Math.min(this.#least, part)
    this.#most = Math.max(this.#most, part)
    if (joules === null) this.#unknown = reasons
    else this.#joules += part * joules
  }

  /** With parts pₖ of segments Tₖ, and L ≤ Σ Tₖ ≤ H of the window: min p · L ≤ Σ pₖ Tₖ ≤ max p · H. */
  end(): Reading {
    const whole = this.#window.end()
    if (whole.joules === null) return whole
    if (this.#unknown !== undefined) {
      return unavailableReading({ ...whole, reasons: [...whole.reasons, ...this.#unknown] })
    }
    const joules = this.#joules
    return createReading({
      ...whole,
      aboveIdle: null,
      joules,
      // The window is read microseconds apart from the segments.
      low: Math.min(joules, this.#least * whole.low),
      high: Math.max(joules, this.#most * whole.high),
    })
  }
}
