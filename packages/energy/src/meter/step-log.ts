import type { Reading } from '../reading/reading.js'
import type { EnergyWindow } from './energy-window.js'

/** The energy of one step and of all until its end. */
export interface StepEnergy {
  /** Counted from 1. */
  readonly step: number
  readonly energy: Reading
  readonly total: Reading
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
   * Ends a step and begins the next.
   *
   * @throws `ERR_BIO_CLOSED` when the meter was closed.
   */
  step(): StepEnergy {
    const energy = this.#current.end()
    this.#current = this.#begin()
    return { step: ++this.#step, energy, total: this.#whole.read() }
  }

  /** All energy since the log began; at any time, within a step too. */
  total(): Reading {
    return this.#whole.read()
  }
}
