import { checkNumber } from '../check.js'
import { scaleReading } from '../reading/arithmetic.js'
import type { Reading } from '../reading/reading.js'
import type { EnergyWindow } from './energy-window.js'

/** What a step did, for its energy to be put beside. */
export interface StepCounts {
  readonly tokens?: number
  /** Bits decided, as `entropyBits` counts them. */
  readonly bits?: number
}

/** The energy of one step and of all until its end. */
export interface StepEnergy extends StepCounts {
  /** Counted from 1. */
  readonly step: number
  readonly energy: Reading
  readonly total: Reading
  /** Where tokens were counted and there were any. */
  readonly perToken?: Reading
  /** Where bits were counted and there were any: a greedy step decides none. */
  readonly perBit?: Reading
}

/** Energy per step of a loop; made by `meter.perStep`. */
export class StepLog {
  readonly #begin: () => EnergyWindow
  readonly #whole: EnergyWindow
  #current: EnergyWindow
  #step = 0

  /** Made by `meter.perStep`. */
  constructor(begin: () => EnergyWindow) {
    this.#begin = begin
    this.#whole = begin()
    this.#current = begin()
  }

  /**
   * Ends a step and begins the next; a budget of the meter that is spent aborts here too, in loops that never yield.
   *
   * @throws `ERR_BIO_CLOSED` when the meter was closed, `ERR_BIO_VALUE` for a negative or infinite count.
   */
  step(counts: StepCounts = {}): StepEnergy {
    const { tokens = 0, bits = 0 } = counts
    checkNumber('StepLog.step', 'tokens', tokens, { minimum: 0 })
    checkNumber('StepLog.step', 'bits', bits, { minimum: 0 })
    const energy = this.#current.end()
    this.#current = this.#begin()
    return {
      ...counts,
      step: ++this.#step,
      energy,
      total: this.#whole.read(),
      ...(tokens > 0 ? { perToken: scaleReading(energy, 1 / tokens) } : {}),
      ...(bits > 0 ? { perBit: scaleReading(energy, 1 / bits) } : {}),
    }
  }

  /** All energy since the log began; at any time, within a step too. */
  total(): Reading {
    return this.#whole.read()
  }
}
