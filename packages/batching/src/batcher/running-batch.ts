import { SharedAbort } from '../shared-abort.js'
import type { Ticket } from './ticket.js'

/** The requests of one call of `run`, with the signal that tells it when nobody waits for any of them any more. */
export class RunningBatch<Input, Output> {
  readonly tickets: readonly Ticket<Input, Output>[]
  readonly abort: SharedAbort
  readonly startedAt: number = performance.now()

  constructor(tickets: readonly Ticket<Input, Output>[]) {
    this.tickets = tickets
    this.abort = new SharedAbort(tickets.length)
    for (const ticket of tickets) ticket.batch = this
  }
}
