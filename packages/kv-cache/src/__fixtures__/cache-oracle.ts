/** A block as the oracle sees it: a thing that tables hold; it knows when the last of them let go. */
interface Block {
  releasedAt: number
}

/** One sequence as the oracle sees it. */
export interface OracleSequence {
  readonly scope: string
  readonly tokens: number[]
  reserved: number
  readonly table: Block[]
  /** Whether its last block is another's, partly filled. */
  borrows: boolean
  /** The number of clears before it was opened: it shares prefixes with its generation only. */
  readonly generation: number
}

/**
 * What `PagedKvCache` promises, computed the slow way: prefixes are strings in a map, blocks are objects without number or place, and
 * who holds one is found by looking into every table.
 */
export class CacheOracle {
  readonly sequences: OracleSequence[] = []
  readonly #prefixes = new Map<string, Block>()
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
    return new Set(this.sequences.flatMap(({ table }) => table)).size
  }
  get cached(): number {
    return this.#prefixes.size
  }

  /** Returns the tokens that are cached. */
  open(scope: string, tokens: number[]): number {
    const table: Block[] = []
    for (let end = this.#blockTokens; end < tokens.length; end += this.#blockTokens) {
      const block = this.#prefixes.get(prefixKey(scope, tokens.slice(0, end)))
      if (block === undefined) break
      table.push(block)
    }
    return this.#begin(scope, tokens.slice(0, table.length * this.#blockTokens), table)
  }

  /** Returns the tokens that the fork begins with. */
  fork({ scope, tokens, table, generation }: OracleSequence, wanted: number): number {
    const length = generation === this.#generation ? wanted : 0
    const held = table.slice(0, Math.ceil(length / this.#blockTokens))
    return this.#begin(scope, tokens.slice(0, length), held)
  }

  reserve(sequence: OracleSequence, count: number): boolean {
    const { table, tokens } = sequence
    const last = table.at(-1)
    const copies = count > 0 && sequence.borrows && (this.#holders(last!) > 1 || this.#isCached(last!))
    const more = Math.max(0, Math.ceil((tokens.length + count) / this.#blockTokens) - table.length)
    if (more + (copies ? 1 : 0) > this.#blocks - this.used) return false
    if (copies) {
      table.pop()
      this.#release(last!)
      table.push({ releasedAt: 0 })
    }
    if (count > 0) sequence.borrows = false
    for (let i = 0; i < more; i += 1) table.push({ releasedAt: 0 })
    sequence.reserved = Math.max(sequence.reserved, tokens.length + count)
    for (let free = this.#free(); this.used + free.length > this.#blocks; free = this.#free()) {
      const [oldest] = free.toSorted((a, b) => a[1].releasedAt - b[1].releasedAt)
      this.#prefixes.delete(oldest![0])
      this.evictions += 1
    }
    return true
  }

  commit({ scope, tokens, table, generation }: OracleSequence, more: number[]): void {
    for (const token of more) {
      tokens.push(token)
      if (tokens.length % this.#blockTokens !== 0 || generation !== this.#generation) continue
      const key = prefixKey(scope, tokens)
      const block = table[tokens.length / this.#blockTokens - 1]!
      table[tokens.length / this.#blockTokens - 1] = this.#prefixes.get(key) ?? block
      if (!this.#prefixes.has(key)) this.#prefixes.set(key, block)
    }
  }

  close(sequence: OracleSequence): void {
    this.sequences.splice(this.sequences.indexOf(sequence), 1)
    for (const block of sequence.table.toReversed()) this.#release(block)
  }

  clear(): void {
    this.#prefixes.clear()
    this.#generation += 1
  }

  #begin(scope: string, tokens: number[], table: Block[]): number {
    const borrows = tokens.length % this.#blockTokens !== 0
    const generation = this.#generation
    this.sequences.push({ scope, tokens, reserved: tokens.length, table, borrows, generation })
    return tokens.length
  }

  #release(block: Block): void {
    if (this.#holders(block) === 0) block.releasedAt = this.#clock += 1
  }

  #holders(block: Block): number {
    return this.sequences.filter(({ table }) => table.includes(block)).length
  }

  #isCached(block: Block): boolean {
    return [...this.#prefixes.values()].includes(block)
  }

  #free(): [string, Block][] {
    return [...this.#prefixes].filter(([, block]) => this.#holders(block) === 0)
  }
}

/** A name for a prefix of a scope. */
export function prefixKey(scope: string, tokens: readonly number[]): string {
  return JSON.stringify([scope, ...tokens])
}
