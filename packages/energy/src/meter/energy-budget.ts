import { BioError } from '@bio/errors'
import { checkNumber } from '../check.js'
import { formatReading } from '../reading/format-reading.js'
import type { Reading } from '../reading/reading.js'
import type { EnergyWindow } from './energy-window.js'

export interface BudgetOptions {
  /** What may be used, above 0, held against the best value of the reading: the upper bound of an estimate is four times as much. */
  readonly joules: number
  /** Counts what this window has counted; by default one that begins now. */
  readonly window?: EnergyWindow
}

/** What a budget needs of its meter. */
interface BudgetWatch {
  readonly begin: () => EnergyWindow
  readonly leave: (budget: EnergyBudget) => void
}

/**
 * A brake: `signal` aborts within one sampling period of the energy's crossing `joules`, so that E ≤ joules + period · P_max, where the
 * event loop turns; a loop that blocks it is stopped by `check()`, by the next step of a `StepLog` and between the calls of `measure`.
 *
 * The reason is `ERR_BIO_ENERGY_BUDGET`; `ERR_BIO_ENERGY_UNKNOWN` when the energy stayed unknown for two checks; `ERR_BIO_CLOSED` when the
 * meter was closed: a budget that nobody watches any more says so. Made by `meter.budget`.
 */
export class EnergyBudget implements Disposable {
  readonly joules: number
  readonly #window: EnergyWindow
  readonly #leave: (budget: EnergyBudget) => void
  readonly #controller = new AbortController()
  #unknownChecks = 0

  /** Made by `meter.budget`. */
  constructor(options: BudgetOptions, { begin, leave }: BudgetWatch) {
    checkNumber('EnergyMeter.budget', 'joules', options.joules, { minimum: 0, exclusive: true })
    this.joules = options.joules
    this.#window = options.window ?? begin()
    this.#leave = leave
    const reading = this.#window.read()
    if (reading.joules === null) throw this.#unknown(reading)
    this.look()
  }

  /** For whatever is to be stopped: a training loop, `measure`, a request. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** What has been used of it, with its bounds. */
  spent(): Reading {
    return this.#window.read()
  }

  /** Reads the counters now and throws the signal's reason if it is aborted. */
  check(): void {
    this.look()
    this.signal.throwIfAborted()
  }

  /** Aborts the signal if the budget is spent; the meter calls it at every sample. */
  look(): void {
    if (this.signal.aborted) return
    const reading = this.#window.read()
    this.#unknownChecks = reading.joules === null ? this.#unknownChecks + 1 : 0
    if (reading.joules !== null && reading.joules >= this.joules) {
      this.end(
        new BioError('ERR_BIO_ENERGY_BUDGET', {
          operation: 'EnergyMeter.budget',
          expected: `less than ${this.joules} J`,
          received: formatReading(reading),
        }),
      )
    } else if (this.#unknownChecks === 2) this.end(this.#unknown(reading))
  }

  /** Aborts the signal, once. */
  end(reason: BioError): void {
    this.#leave(this)
    this.#controller.abort(reason)
  }

  /** Ends the watch; the signal stays as it is. */
  [Symbol.dispose](): void {
    this.#leave(this)
  }

  #unknown(reading: Reading): BioError {
    return new BioError('ERR_BIO_ENERGY_UNKNOWN', {
      operation: 'EnergyMeter.budget',
      expected: 'energy that somebody counts',
      received: formatReading(reading),
      hint: 'meter.sources() says what would open a source.',
    })
  }
}
