import { placesFor, type Tenant, type Tenants } from '../tenants.js'
import type { CachedSequence } from './contract.js'
import { compareTurns, type ScheduledRequest } from './scheduled-request.js'

/** Requests that wait: one line per tenant, in the order of their turns. */
export class WaitingQueue<Sequence extends CachedSequence, Sampling> {
  readonly #tenants: Tenants
  readonly #lines: Map<Tenant, ScheduledRequest<Sequence, Sampling>[]> = new Map()
  #size = 0

  constructor(tenants: Tenants) {
    this.#tenants = tenants
  }

  get size(): number {
    return this.#size
  }

  /** How many more requests of a tenant may wait, now and in an empty queue. */
  placesFor(tenant: Tenant, maxQueue: number): { readonly now: number; readonly ever: number } {
    return {
      now: placesFor(tenant, { free: maxQueue - this.#size, held: tenant.waiting }),
      ever: placesFor(tenant, { free: maxQueue, held: 0 }),
    }
  }

  add(request: ScheduledRequest<Sequence, Sampling>): void {
    const line = this.#lines.get(request.tenant)
    if (line === undefined) this.#lines.set(request.tenant, [request])
    else insertByTurn(line, request)
    this.#size += 1
    this.#tenants.entered(request.tenant, request.promptTokens)
  }

  /** False if the request does not wait here. */
  remove(request: ScheduledRequest<Sequence, Sampling>): boolean {
    const line = this.#lines.get(request.tenant)
    const index = line?.indexOf(request) ?? -1
    if (index === -1) return false
    line!.splice(index, 1)
    if (line!.length === 0) this.#lines.delete(request.tenant)
    this.#size -= 1
    this.#tenants.left(request.tenant, request.promptTokens)
    return true
  }

  /**
   * Everyone, each time the one who is next by then: serving one changes whose turn it is. The one just given may leave meanwhile; who
   * stays is passed over.
   */
  *[Symbol.iterator](): Generator<ScheduledRequest<Sequence, Sampling>> {
    const passed = new Map<Tenant, number>()
    for (;;) {
      let next: ScheduledRequest<Sequence, Sampling> | undefined
      for (const [tenant, line] of this.#lines) {
        const candidate = line[passed.get(tenant) ?? 0]
        if (candidate !== undefined && (next === undefined || compareTurns(candidate, next) < 0))
          next = candidate
      }
      if (next === undefined) return
      yield next
      const index = passed.get(next.tenant) ?? 0
      if (this.#lines.get(next.tenant)?.[index] === next) passed.set(next.tenant, index + 1)
    }
  }
}

/** Keeps a list in the order of turns and arrivals. */
export function insertByTurn<Entry extends { readonly turn: number; readonly id: number }>(
  list: Entry[],
  entry: Entry,
): void {
  const before = list.findLastIndex(
    ({ turn, id }) => turn < entry.turn || (turn === entry.turn && id < entry.id),
  )
  list.splice(before + 1, 0, entry)
}
