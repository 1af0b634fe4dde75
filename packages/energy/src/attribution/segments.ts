import { describeError } from '../check.js'
import type { EnergyWindow } from '../meter/energy-window.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import type { RunningStep, Segment } from './running-step.js'

/**
 * Cuts time where steps begin and end. What was used between two cuts is a segment: it belongs to the steps that ran in it, in equal
 * parts, or to nobody. One window is read again and again, so nothing falls between two segments.
 */
export class Segments {
  readonly #begin: () => EnergyWindow
  readonly #running = new Set<RunningStep>()
  readonly #start = performance.now()
  #window: EnergyWindow | undefined
  /** What the window had counted at the last cut. */
  #counted = { joules: 0, seconds: 0 }
  /** Why there is no window. */
  #refusal: readonly string[] = []
  readonly #idle = { joules: 0, seconds: 0 }
  /** The bounds of all steps that have ended. */
  readonly #steps = { low: 0, high: 0 }
  /** Why the total is not known any more. */
  #lost: readonly string[] | undefined

  constructor(begin: () => EnergyWindow) {
    this.#begin = begin
    this.#window = begin()
  }

  enter(step: RunningStep): void {
    this.#cut()
    this.#running.add(step)
  }

  leave(step: RunningStep): Reading {
    this.#cut()
    this.#running.delete(step)
    const reading = step.end()
    if (reading.joules !== null) {
      this.#steps.low += reading.low
      this.#steps.high += reading.high
    }
    return reading
  }

  /** At one moment, so that the parts sum to the whole. */
  read(): { readonly total: Reading; readonly idle: Reading } {
    const reading = this.#cut()
    const seconds = (performance.now() - this.#start) / 1000
    const total =
      this.#lost === undefined ? reading : unavailableReading({ ...reading, seconds, reasons: this.#lost })
    return { total, idle: this.#idleOf(total) }
  }

  /** The bounds are those of the total less those of the steps. */
  #idleOf(total: Reading): Reading {
    const { joules, seconds } = this.#idle
    if (total.joules === null) return { ...total, seconds }
    return createReading({
      ...total,
      aboveIdle: null,
      method: total.method === 'estimated' ? 'estimated' : 'derived',
      seconds,
      joules,
      low: this.#running.size > 0 ? 0 : Math.max(0, Math.min(joules, total.low - this.#steps.high)),
      high: Math.max(joules, total.high - this.#steps.low),
    })
  }

  /** Ends a segment; returns what the window has counted so far. */
  #cut(): Reading {
    const reading =
      this.#window?.read() ?? unavailableReading({ source: 'none', seconds: 0, reasons: this.#refusal })
    const segment = this.#segmentUntil(reading)
    if (this.#running.size === 0) {
      this.#idle.joules += segment.joules ?? 0
      this.#idle.seconds += segment.seconds
    }
    for (const step of this.#running) step.add(segment, 1 / this.#running.size)
    return reading
  }

  #segmentUntil(reading: Reading): Segment {
    const { joules, seconds, reasons } = reading
    if (joules === null) {
      this.#lost = reasons
      // What this window saw will stay unknown: the segments to come need another.
      this.#restart()
      return { joules, seconds: 0, reasons }
    }
    const before = this.#counted
    this.#counted = { joules, seconds }
    return { joules: joules - before.joules, seconds: seconds - before.seconds, reasons }
  }

  #restart(): void {
    this.#counted = { joules: 0, seconds: 0 }
    this.#window = undefined
    try {
      this.#window = this.#begin()
    } catch (error) {
      this.#refusal = [describeError(error)]
    }
  }
}
