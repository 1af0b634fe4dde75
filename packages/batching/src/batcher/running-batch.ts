import type { Ticket } from './ticket.js'

/** The requests of one call of `run`, and the signal that tells it when nobody waits for any of them any more. */
export class RunningBatch<Input, Output> {
  readonly tickets: readonly Ticket<Input, Output>[]
  readonly startedAt: number = performance.now()
  readonly #controller: AbortController = new AbortController()
  #wanted: number

  constructor(tickets: readonly Ticket<Input, Output>[]) {
    this.tickets = tickets
    this.#wanted = tickets.length
    for (const ticket of tickets) ticket.batch = this
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** One request was withdrawn; with the last of them the run is told to stop. */
  release(reason: unknown): void {
    this.#wanted -= 1
    if (this.#wanted === 0) this.#controller.abort(reason)
  }
}
