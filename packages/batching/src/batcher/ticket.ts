import { BioError } from '@bio/errors'
import { onAbort } from '../on-abort.js'
import type { RunningBatch } from './running-batch.js'

/** What a caller may say about one request. */
export interface SubmitOptions {
  /** Takes the request back: its promise rejects with the signal's reason at once, queued or running. */
  readonly signal?: AbortSignal
  /** Milliseconds from arrival to result; after them the promise rejects with `ERR_BIO_DEADLINE`. */
  readonly deadlineMs?: number
}

/** How a request can end without a result of `run`. */
export type Withdrawal = 'cancelled' | 'expired'

/** One accepted request: it settles once, then lets go of its signal and its timer. */
export class Ticket<Input, Output> {
  readonly input: Input
  readonly arrivedAt: number = performance.now()
  readonly promise: Promise<Output>
  /** Set while the request runs; undefined while it waits. */
  batch: RunningBatch<Input, Output> | undefined = undefined
  settled = false
  readonly #options: SubmitOptions
  readonly #withdraw: (withdrawal: Withdrawal, reason: unknown) => void
  readonly #timer: ReturnType<typeof setTimeout> | undefined
  readonly #forget: (() => void) | undefined
  #resolve!: (output: Output) => void
  #reject!: (reason: unknown) => void

  constructor(
    input: Input,
    options: SubmitOptions,
    withdraw: (ticket: Ticket<Input, Output>, withdrawal: Withdrawal, reason: unknown) => void,
  ) {
    this.input = input
    this.#options = options
    this.#withdraw = (withdrawal, reason) => withdraw(this, withdrawal, reason)
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    const { signal } = options
    this.#forget = signal && onAbort(signal, () => this.#withdraw('cancelled', signal.reason))
    if (options.deadlineMs !== undefined) this.#timer = setTimeout(this.#onDeadline, options.deadlineMs)
  }

  /** Withdraws the request if its time is over, though a busy event loop kept its timer from saying so. */
  expireIfLate(now: number): void {
    if (now - this.arrivedAt >= (this.#options.deadlineMs ?? Infinity)) this.#onDeadline()
  }

  /** True if this settled the request; false if something else had before. */
  resolve(output: Output): boolean {
    return this.#settle(() => this.#resolve(output))
  }

  /** True if this settled the request; false if something else had before. */
  reject(reason: unknown): boolean {
    return this.#settle(() => this.#reject(reason))
  }

  #settle(settle: () => void): boolean {
    if (this.settled) return false
    this.settled = true
    clearTimeout(this.#timer)
    this.#forget?.()
    settle()
    return true
  }

  readonly #onDeadline = (): void => {
    const error = new BioError('ERR_BIO_DEADLINE', {
      operation: 'Batcher.submit',
      expected: `a result within ${this.#options.deadlineMs} ms`,
      received: this.batch === undefined ? 'a request still waiting' : 'a request still running',
    })
    this.#withdraw('expired', error)
  }
}
