/** One sequence as the oracle sees it. */
export interface OracleSequence {
  readonly scope: string
  readonly tokens: number[]
  reserved: number
  /** Blocks in its table. */
  held: number
  /** The number of clears before it was opened: it shares prefixes with its generation only. */
  readonly generation: number
  /** Its first blocks, which others may hold too. */
  shared: number
}

/**
 * What `PagedKvCache` promises, computed the slow way: prefixes are strings in a map, nothing has a number or a place. A cached prefix is one block;
 * it knows how many sequences hold it and when the last one let go.
 */
export class CacheOracle {
  readonly sequences: OracleSequence[] = []
  readonly #prefixes = new Map<string, { users: number; releasedAt: number }>()
  readonly #blocks: number
  readonly #blockTokens: number
  #clock = 0
  #generation = 0
  evictions = 0

  constructor(blocks: number, blockTokens: number) {
    this.#blocks = blocks
    this.#blockTokens = blockTokens
  }

  get used(): number {
    const shared = [...this.#prefixes.values()].filter(({ users }) => users > 0).length
    const own = this.sequences.map((sequence) => sequence.held - sequence.shared)
    return own.reduce((sum, n) => sum + n, shared)
  }
  get cached(): number {
    return [...this.#prefixes.keys()].filter((key) => key.startsWith(`${this.#generation} `)).length
  }

  /** Returns the tokens that are cached. */
  open(scope: string, tokens: number[]): number {
    const generation = this.#generation
    const sequence: OracleSequence = { scope, tokens: [], reserved: 0, held: 0, generation, shared: 0 }
    for (let end = this.#blockTokens; end < tokens.length; end += this.#blockTokens) {
      const prefix = this.#prefixes.get(`${generation} ${prefixKey(scope, tokens.slice(0, end))}`)
      if (prefix === undefined) break
      prefix.users += 1
      sequence.tokens.push(...tokens.slice(end - this.#blockTokens, end))
      sequence.held += 1
      sequence.shared += 1
    }
    sequence.reserved = sequence.tokens.length
    this.sequences.push(sequence)
    return sequence.tokens.length
  }

  reserve(sequence: OracleSequence, count: number): boolean {
    const length = sequence.tokens.length + count
    const more = Math.max(0, Math.ceil(length / this.#blockTokens) - sequence.held)
    if (more > this.#blocks - this.used) return false
    sequence.held += more
    sequence.reserved = Math.max(sequence.reserved, length)
    for (let free = this.#free(); this.used + free.length > this.#blocks; free = this.#free()) {
      const [oldest] = free.toSorted((a, b) => a[1].releasedAt - b[1].releasedAt)
      this.#prefixes.delete(oldest![0])
      this.evictions += 1
    }
    return true
  }

  commit(sequence: OracleSequence, tokens: number[]): void {
    const before = sequence.shared
    sequence.tokens.push(...tokens)
    if (sequence.generation !== this.#generation) return
    sequence.shared = Math.floor(sequence.tokens.length / this.#blockTokens)
    for (const key of this.#keys(sequence).slice(before)) {
      const prefix = this.#prefixes.get(key) ?? { users: 0, releasedAt: 0 }
      prefix.users += 1
      this.#prefixes.set(key, prefix)
    }
  }

  close(sequence: OracleSequence): void {
    for (const key of this.#keys(sequence).toReversed()) {
      const prefix = this.#prefixes.get(key)!
      prefix.users -= 1
      prefix.releasedAt = this.#clock += 1
      if (prefix.users === 0 && sequence.generation !== this.#generation) this.#prefixes.delete(key)
    }
    this.sequences.splice(this.sequences.indexOf(sequence), 1)
  }

  clear(): void {
    for (const [key] of this.#free()) this.#prefixes.delete(key)
    this.#generation += 1
  }

  #free(): [string, { releasedAt: number }][] {
    return [...this.#prefixes].filter(([, { users }]) => users === 0)
  }

  /** The keys of its shared blocks. */
  #keys({ scope, tokens, generation, shared }: OracleSequence): string[] {
    const prefix = (i: number): string => prefixKey(scope, tokens.slice(0, (i + 1) * this.#blockTokens))
    return Array.from({ length: shared }, (_, i) => `${generation} ${prefix(i)}`)
  }
}

/** A name for a prefix of a scope. */
export function prefixKey(scope: string, tokens: readonly number[]): string {
  return JSON.stringify([scope, ...tokens])
}
