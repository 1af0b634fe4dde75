import { BioError } from '@bio/errors'
import { checkCount, checkDelay, invalid } from '../check.js'

/** Inputs remembered; the one whose offence is longest ago is forgotten first. */
const remembered = 10_000

/** Which inputs are refused because they made batches fail before. */
export interface QuarantineOptions<Input> {
  /** Names an input: the same name means the same input. */
  readonly identify: (input: Input) => string
  /** Failures of its own, alone in a run or found by bisection, after which an input is refused. Default 2. */
  readonly after?: number
  /** Milliseconds since its last failure after which an input is tried again. Default 60,000. */
  readonly forMs?: number
}

/** Remembers the inputs that failed on their own, so that a repeat offender costs no more runs. */
export class Quarantine<Input> {
  readonly identify: (input: Input) => string
  readonly #after: number
  readonly #forMs: number
  /** By last offence. */
  readonly #offenders: Map<string, { readonly offences: number; readonly lastAt: number }> = new Map()

  constructor({ identify, after = 2, forMs = 60_000 }: QuarantineOptions<Input>) {
    if (typeof identify !== 'function')
      throw invalid('Batcher', 'quarantine.identify to be a function', identify)
    checkCount('Batcher', 'quarantine.after', after)
    checkDelay('Batcher', 'quarantine.forMs', forMs)
    this.identify = identify
    this.#after = after
    this.#forMs = forMs
  }

  /** Refuses a repeat offender (`ERR_BIO_QUARANTINED`). */
  check(name: string): void {
    const leftMs = this.#leftMs(name)
    if (leftMs <= 0) return
    throw new BioError('ERR_BIO_QUARANTINED', {
      operation: 'Batcher.submit',
      expected: `an input that failed on its own fewer than ${this.#after} times`,
      received: 'a repeat offender',
      hint: `Mend it, or try again in ${Math.ceil(leftMs)} ms`,
    })
  }

  /** The input of this name failed, and no other can be blamed. */
  offend(name: string): void {
    const now = performance.now()
    const before = this.#offenders.get(name)
    const offences = before !== undefined && now - before.lastAt < this.#forMs ? before.offences + 1 : 1
    this.#offenders.delete(name) // so that it comes last
    this.#offenders.set(name, { offences, lastAt: now })
    if (this.#offenders.size > remembered) this.#offenders.delete(this.#offenders.keys().next().value!)
  }

  #leftMs(name: string): number {
    const offender = this.#offenders.get(name)
    if (offender === undefined || offender.offences < this.#after) return 0
    return offender.lastAt + this.#forMs - performance.now()
  }
}
