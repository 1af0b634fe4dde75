import { joinReadings } from '../reading/arithmetic.js'
import { withReasons, type Reading } from '../reading/reading.js'
import type { EnergyAccount, EnergySpan } from '../source.js'

export interface DeviceAccountOptions {
  readonly reasons: readonly string[]
  /** How often sensors are read in the background: no average may pass unseen. Never, where somebody else feeds the accounts. */
  readonly sampleSeconds?: number
  /** What else ends with the meter. */
  readonly close?: () => void
}

/** The sum over the sensors of a source, read by a timer of its own from `open` to `close`, since power must be read more often than energy. */
export class DeviceAccount implements EnergyAccount {
  readonly #accounts: readonly EnergyAccount[]
  readonly #options: DeviceAccountOptions
  readonly #timer: NodeJS.Timeout | undefined

  constructor(accounts: readonly EnergyAccount[], options: DeviceAccountOptions) {
    this.#accounts = accounts
    this.#options = options
    const { sampleSeconds } = options
    if (sampleSeconds === undefined) return
    this.#timer = setInterval(() => this.sample(), sampleSeconds * 1000)
    this.#timer.unref()
  }

  sample(): void {
    for (const account of this.#accounts) account.sample()
  }

  startSpan(): EnergySpan {
    const spans = this.#accounts.map((account) => account.startSpan())
    return {
      read: (): Reading => withReasons(this.#options.reasons, joinReadings(spans.map((span) => span.read()))),
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#options.close?.()
  }
}
