import type { Ticket } from './ticket.js'

/**
 * One tenant's requests waiting in one bucket, by priority and arrival.
 *
 * Priorities age: each level is worth `ageingMs` of waiting, so that the order is that of arrivedAt − priority·ageingMs, which never changes
 * while they wait. Within a level that is the order of arrival.
 */
export class WaitingLine<Input, Output> {
  readonly #ageingMs: number
  readonly #levels: Map<number, Set<Ticket<Input, Output>>> = new Map()

  constructor(ageingMs: number) {
    this.#ageingMs = ageingMs
  }

  get isEmpty(): boolean {
    return this.#levels.size === 0
  }

  add(ticket: Ticket<Input, Output>): void {
    const level = this.#levels.get(ticket.priority)
    if (level === undefined) this.#levels.set(ticket.priority, new Set([ticket]))
    else level.add(ticket)
  }

  remove(ticket: Ticket<Input, Output>): void {
    const level = this.#levels.get(ticket.priority)
    level?.delete(ticket)
    if (level?.size === 0) this.#levels.delete(ticket.priority)
  }

  /** Who is next; undefined if nobody waits. */
  first(): Ticket<Input, Output> | undefined {
    let first: Ticket<Input, Output> | undefined
    for (const level of this.#levels.values()) {
      const oldest = level.values().next().value!
      if (first === undefined || this.turn(oldest) < this.turn(first)) first = oldest
    }
    return first
  }

  oldestAt(): number {
    let oldestAt = Infinity
    for (const level of this.#levels.values())
      oldestAt = Math.min(oldestAt, level.values().next().value!.arrivedAt)
    return oldestAt
  }

  *[Symbol.iterator](): Iterator<Ticket<Input, Output>> {
    for (const level of this.#levels.values()) yield* level
  }

  /** The moment from which a request counts as waiting: lower goes first. */
  turn(ticket: Ticket<Input, Output>): number {
    return ticket.arrivedAt - ticket.priority * this.#ageingMs
  }
}
