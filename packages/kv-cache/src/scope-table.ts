/**
 * A number for each scope (tenant, adapter, …) that is in use, so that the prefix index keys on numbers. A scope is forgotten with its
 * last user (an open sequence or a cached first block), so any number of tenants may come and go.
 */
export class ScopeTable {
  readonly #ids = new Map<string, number>()
  readonly #entries: { scope: string; users: number }[] = []
  readonly #unused: number[] = []

  /** Scopes in use. */
  get size(): number {
    return this.#ids.size
  }

  /** The number of `scope`, with one more user. */
  enter(scope: string): number {
    const known = this.#ids.get(scope)
    if (known !== undefined) {
      this.retain(known)
      return known
    }
    const id = this.#unused.pop() ?? this.#entries.length
    this.#entries[id] = { scope, users: 1 }
    this.#ids.set(scope, id)
    return id
  }

  retain(id: number): void {
    this.#entries[id]!.users += 1
  }

  leave(id: number): void {
    const entry = this.#entries[id]!
    entry.users -= 1
    if (entry.users > 0) return
    this.#ids.delete(entry.scope)
    this.#unused.push(id)
  }
}
