import { BioError } from '@bio/errors'
import type { Linked } from '../linked-queue.js'
import { onAbort } from '../on-abort.js'
import type { Attempt } from './attempt.js'
import type { Bucket } from './bucket.js'
import type { Tenant } from '../tenants.js'

/** What a caller may say about one request. */
export interface SubmitOptions {
  /** Takes the request back: its promise rejects with the signal's reason at once, queued or running. */
  readonly signal?: AbortSignal
  /**
   * Milliseconds from arrival to result; after them the promise rejects with `ERR_BIO_DEADLINE`. A request that by the measured pace
   * cannot be answered in time is refused at once with a `QueueFullError`, unless a run could start now.
   */
  readonly deadlineMs?: number
  /** Higher goes first among the requests of its tenant; each level is worth `ageingMs` of waiting. Any finite number; default 0. */
  readonly priority?: number
  /** Who asks: tenants share the runs fairly, by weighted cost. */
  readonly tenant?: string
}

/** How a request can end without a result of `run`. */
export type Withdrawal = 'cancelled' | 'expired'

/** What the batcher knows of a request. */
export interface TicketFields<Input, Output> {
  readonly input: Input
  readonly bucket: Bucket<Input, Output>
  readonly tenant: Tenant
  readonly cost: number
  readonly bytes: number
  /** Of the input in quarantine, taken before a run could change the input; '' without quarantine. */
  readonly name: string
  readonly arrivedAt: number
  readonly ageingMs: number
}

/** One accepted request: it settles once, then lets go of its signal. */
export class Ticket<Input, Output>
  implements Omit<TicketFields<Input, Output>, 'ageingMs'>, Linked<Ticket<Input, Output>>
{
  readonly input: Input
  readonly bucket: Bucket<Input, Output>
  readonly tenant: Tenant
  readonly cost: number
  readonly bytes: number
  readonly name: string
  readonly arrivedAt: number
  readonly priority: number
  /** Its place among the requests of its tenant, lower first: arrivedAt − priority · ageingMs, which never changes. */
  readonly turn: number
  /** When its time is over; Infinity without a deadline. */
  readonly deadlineAt: number
  readonly promise: Promise<Output>
  /** The run that it is in, or was in last; undefined while it waits. */
  attempt: Attempt<Input, Output> | undefined = undefined
  settled = false
  previous: Ticket<Input, Output> | undefined = undefined
  next: Ticket<Input, Output> | undefined = undefined
  readonly #withdraw: (ticket: Ticket<Input, Output>, withdrawal: Withdrawal, reason: unknown) => void
  readonly #forget: (() => void) | undefined
  #resolve!: (output: Output) => void
  #reject!: (reason: unknown) => void

  constructor(
    fields: TicketFields<Input, Output>,
    { signal, deadlineMs, priority = 0 }: SubmitOptions,
    withdraw: (ticket: Ticket<Input, Output>, withdrawal: Withdrawal, reason: unknown) => void,
  ) {
    this.input = fields.input
    this.bucket = fields.bucket
    this.tenant = fields.tenant
    this.cost = fields.cost
    this.bytes = fields.bytes
    this.name = fields.name
    this.arrivedAt = fields.arrivedAt
    this.priority = priority
    this.turn = fields.arrivedAt - priority * fields.ageingMs
    this.deadlineAt = fields.arrivedAt + (deadlineMs ?? Infinity)
    this.#withdraw = withdraw
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#forget = signal && onAbort(signal, () => withdraw(this, 'cancelled', signal.reason))
  }

  /** Withdraws the request, whose time is over. */
  expire(): void {
    const error = new BioError('ERR_BIO_DEADLINE', {
      operation: 'Batcher.submit',
      expected: `a result within ${Math.round(this.deadlineAt - this.arrivedAt)} ms`,
      received: this.attempt === undefined ? 'a request still waiting' : 'a request still running',
    })
    this.#withdraw(this, 'expired', error)
  }

  /** True if this settled the request; false if something else had before. */
  resolve(output: Output): boolean {
    if (!this.#settle()) return false
    this.#resolve(output)
    return true
  }

  /** True if this settled the request; false if something else had before. */
  reject(reason: unknown): boolean {
    if (!this.#settle()) return false
    this.#reject(reason)
    return true
  }

  #settle(): boolean {
    if (this.settled) return false
    this.settled = true
    this.#forget?.()
    return true
  }
}
