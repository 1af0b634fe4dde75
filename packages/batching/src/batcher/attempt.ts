import type { RunContext } from '../runner/runner.js'
import { SharedAbort } from '../shared-abort.js'
import type { Ticket } from './ticket.js'

/** One call of `run`: its requests, and the signal that tells it when nobody waits for any of them any more. */
export class Attempt<Input, Output> {
  readonly tickets: readonly Ticket<Input, Output>[]
  readonly cost: number
  readonly startedAt: number = performance.now()
  /** Milliseconds from arrival to now, summed over its requests. */
  readonly queueMs: number
  /** Whether a turn of the event loop has ended since the call: what runs so long is done elsewhere, and its call returns at once. */
  isElsewhere = false
  readonly #abort: SharedAbort
  #ended = false

  constructor(tickets: readonly Ticket<Input, Output>[]) {
    this.tickets = tickets
    this.#abort = new SharedAbort(tickets.length)
    this.cost = 0
    this.queueMs = 0
    for (const ticket of tickets) {
      ticket.attempt = this
      this.cost += ticket.cost
      this.queueMs += this.startedAt - ticket.arrivedAt
    }
  }

  /** What `run` gets beside the inputs. */
  get context(): RunContext {
    return this.#abort
  }

  /** One of its requests is not wanted any more. */
  release(reason: unknown): void {
    if (!this.#ended) this.#abort.release(reason)
  }

  /** The call returned; gives the milliseconds it took. */
  end(): number {
    this.#ended = true
    return performance.now() - this.startedAt
  }
}
