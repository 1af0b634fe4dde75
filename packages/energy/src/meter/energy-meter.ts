import { BioError } from '@bio/errors'
import { checkNumber, invalid } from '../check.js'
import type { EnergySource, SourceStatus } from '../source.js'
import { defaultSources } from './default-sources.js'
import { EnergyBudget, type BudgetOptions } from './energy-budget.js'
import { EnergyWindow } from './energy-window.js'
import { measureCalls, type Measurement, type MeasureOptions } from './measure-calls.js'
import { openSources, type OpenedSources } from './open-sources.js'
import { StepLog } from './step-log.js'

export interface EnergyMeterOptions {
  /** Asked in order; per component the first that works is used. By default `defaultSources()`. */
  readonly sources?: readonly EnergySource[]
  /** How often counters are read in the background, so that none wraps unseen; 1 s by default, 0.001 to 60. */
  readonly sampleSeconds?: number
}

/**
 * Joules of what the machine does, from hardware counters where there are any, else estimated with a band, else `null` with the reason.
 *
 * Readings are gross: all that the chips used in that time, whoever caused it.
 *
 * @example
 * ```ts
 * import { EnergyMeter } from '@bio/energy'
 *
 * await using meter = await EnergyMeter.open()
 * const { energy, throughput } = await meter.measure(() => Math.hypot(3, 4), { warmup: 5, repeat: 50 })
 * console.log(throughput > 0, energy.joules === null ? energy.reasons.length > 0 : energy.low <= energy.joules) // => true true
 * ```
 */
export class EnergyMeter implements AsyncDisposable {
  readonly #opened: OpenedSources
  readonly #sampleSeconds: number
  readonly #timer: NodeJS.Timeout
  readonly #budgets = new Set<EnergyBudget>()
  #sampledAt = performance.now()
  #closed = false

  private constructor(opened: OpenedSources, sampleSeconds: number) {
    this.#opened = opened
    this.#sampleSeconds = sampleSeconds
    this.#timer = setInterval(() => this.#sample(), sampleSeconds * 1000)
    this.#timer.unref()
  }

  /**
   * Finds the sources that work here: some file reads, and the GPU library only where a driver is. Never fails for want of a source.
   *
   * @throws `ERR_BIO_VALUE` for a sample period out of range, or sources that are none.
   */
  static async open(options: EnergyMeterOptions = {}): Promise<EnergyMeter> {
    const { sources = defaultSources(), sampleSeconds = 1 } = options
    if (!Array.isArray(sources) || !sources.every((source) => typeof source?.open === 'function')) {
      throw invalid('EnergyMeter.open', 'sources to be an array of energy sources', sources)
    }
    checkNumber('EnergyMeter.open', 'sampleSeconds', sampleSeconds, { minimum: 0.001, maximum: 60 })
    return new EnergyMeter(await openSources(sources), sampleSeconds)
  }

  /** Every source that was asked, whether it works and is used, why not, and what would cure that. */
  sources(): readonly SourceStatus[] {
    return this.#opened.statuses
  }

  /**
   * Begins a window over everything that the machine does from now on.
   *
   * @throws `ERR_BIO_CLOSED` after `close`.
   */
  begin(label = ''): EnergyWindow {
    if (this.#closed) throw closed('EnergyMeter.begin')
    this.#sampleWhenDue()
    const spans = this.#opened.accounts.map((account) => account.startSpan())
    return new EnergyWindow(label, spans, this.#opened.reasons)
  }

  /**
   * Calls a function `warmup` times unmeasured and `repeat` times measured, one after another, awaiting promises.
   *
   * @throws `ERR_BIO_VALUE` for counts out of range, `ERR_BIO_CLOSED` after `close`; what `fn` throws; the signal's reason, checked between calls.
   */
  measure(fn: () => unknown, options: MeasureOptions = {}): Promise<Measurement> {
    return measureCalls(fn, {
      options,
      begin: () => this.begin('measure'),
      tick: () => this.#sampleWhenDue(),
    })
  }

  /**
   * Joules beside the loss: `step()` at the end of every step gives the energy of that step and of all so far.
   *
   * @throws `ERR_BIO_CLOSED` after `close`.
   */
  perStep(): StepLog {
    return new StepLog(() => this.begin('step'))
  }

  /**
   * A brake: its signal aborts once so many joules are used, within one sampling period.
   *
   * @throws `ERR_BIO_VALUE` unless the joules are above 0, `ERR_BIO_ENERGY_UNKNOWN` where nobody counts them, `ERR_BIO_CLOSED` after `close`.
   *
   * @example
   * ```ts
   * import { EnergyMeter } from '@bio/energy'
   *
   * await using meter = await EnergyMeter.open({ sampleSeconds: 0.1 })
   * using budget = meter.budget({ joules: 0.5 })
   * const run = meter.measure(() => Math.hypot(3, 4), { repeat: 1e9, signal: budget.signal })
   * await run.catch((error) => console.log(error.code)) // => ERR_BIO_ENERGY_BUDGET
   * ```
   */
  budget(options: BudgetOptions): EnergyBudget {
    const budget = new EnergyBudget(options, {
      begin: () => this.begin('budget'),
      leave: (left) => this.#budgets.delete(left),
    })
    if (!budget.signal.aborted) this.#budgets.add(budget)
    return budget
  }

  /** Ends the background sampling and aborts what still has a budget. Windows still open can be read and ended; new ones are refused. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    for (const budget of this.#budgets) budget.end(closed('EnergyMeter.budget'))
    for (const account of this.#opened.accounts) account.close?.()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #sample(): void {
    this.#sampledAt = performance.now()
    for (const account of this.#opened.accounts) account.sample()
    for (const budget of this.#budgets) budget.look()
  }

  /** For loops that block the timer. */
  #sampleWhenDue(): void {
    if (performance.now() - this.#sampledAt >= this.#sampleSeconds * 1000) this.#sample()
  }
}

function closed(operation: string): BioError {
  return new BioError('ERR_BIO_CLOSED', {
    operation,
    expected: 'an open meter',
    received: 'one that was closed',
  })
}
