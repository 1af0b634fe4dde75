import { LinkedQueue } from '../linked-queue.js'
import type { Ticket } from './ticket.js'

/**
 * One tenant's requests waiting in one bucket, by priority and arrival.
 *
 * Within a level of priority the order of turns is that of arrival.
 */
export class WaitingLine<Input, Output> {
  readonly #levels: Map<number, LinkedQueue<Ticket<Input, Output>>> = new Map()
  #cost = 0

  get isEmpty(): boolean {
    return this.#levels.size === 0
  }

  /** Cost waiting here. */
  get cost(): number {
    return this.#cost
  }

  add(ticket: Ticket<Input, Output>): void {
    this.#cost += ticket.cost
    let level = this.#levels.get(ticket.priority)
    if (level === undefined) this.#levels.set(ticket.priority, (level = new LinkedQueue()))
    level.add(ticket)
  }

  /** Takes out one that waits here. */
  remove(ticket: Ticket<Input, Output>): void {
    const level = this.#levels.get(ticket.priority)!
    level.remove(ticket)
    this.#cost -= ticket.cost
    if (level.first === undefined) this.#levels.delete(ticket.priority)
  }

  /** Who is next; undefined if nobody waits. */
  first(): Ticket<Input, Output> | undefined {
    let first: Ticket<Input, Output> | undefined
    for (const level of this.#levels.values()) {
      const oldest = level.first!
      if (first === undefined || oldest.turn < first.turn) first = oldest
    }
    return first
  }

  oldestAt(): number {
    let oldestAt = Infinity
    for (const level of this.#levels.values()) oldestAt = Math.min(oldestAt, level.first!.arrivedAt)
    return oldestAt
  }

  *[Symbol.iterator](): Iterator<Ticket<Input, Output>> {
    for (const level of this.#levels.values()) yield* level
  }
}
