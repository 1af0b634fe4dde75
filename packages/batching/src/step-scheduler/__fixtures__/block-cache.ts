import type { CachedSequence, SequenceCache } from '../contract.js'

interface Block {
  readonly page: Int32Array // the "keys and values" of a fake model are the tokens themselves
  holders: number
  key: string | undefined
}

/** A paged prefix cache in its plainest form: blocks by the text of all tokens up to their end; LRU; reference counts. */
export class BlockCache implements SequenceCache<BlockSequence> {
  readonly blockTokens: number
  readonly #blocks: Block[]
  /** Cached blocks by scope and tokens; the least recently used first. */
  readonly #index: Map<string, Block> = new Map()

  constructor(blocks: number, blockTokens: number) {
    this.blockTokens = blockTokens
    this.#blocks = Array.from({ length: blocks }, () => ({
      page: new Int32Array(blockTokens).fill(-1),
      holders: 0,
      key: undefined,
    }))
  }

  get heldBlocks(): number {
    return this.#blocks.filter((block) => block.holders > 0).length
  }

  open(tokens: Int32Array, { scope = '' }: { readonly scope?: string } = {}): BlockSequence {
    const table: Block[] = []
    const size = this.blockTokens
    for (let end = size; end < tokens.length; end += size) {
      const key = keyOf(scope, tokens.subarray(0, end))
      const block = this.#index.get(key)
      if (block === undefined) break
      this.#index.delete(key)
      this.#index.set(key, block) // now the most recently used
      block.holders += 1
      table.push(block)
    }
    return new BlockSequence(this, scope, table, Array.from(tokens.subarray(0, table.length * size)))
  }

  /** Full blocks are shared; of a partly filled one the fork keeps a copy aside until it has a block for it. */
  fork(sequence: BlockSequence, length: number): BlockSequence {
    return sequence.beginning(length)
  }

  /** `count` blocks, or none at all. */
  take(count: number): Block[] | undefined {
    const free = this.#blocks.filter((block) => block.holders === 0)
    if (free.length < count) return undefined
    const cached = [...this.#index.values()].filter((block) => block.holders === 0)
    const taken = [...free.filter((block) => block.key === undefined), ...cached].slice(0, count)
    for (const block of taken) {
      if (block.key !== undefined) this.#index.delete(block.key)
      block.key = undefined
      block.holders = 1
      block.page.fill(-1)
    }
    return taken
  }

  share(block: Block, scope: string, tokens: readonly number[]): void {
    const key = keyOf(scope, tokens)
    if (this.#index.has(key)) return
    block.key = key
    this.#index.set(key, block)
  }
}

export class BlockSequence implements CachedSequence {
  readonly cachedTokens: number
  readonly committed: number[]
  readonly #cache: BlockCache
  readonly #scope: string
  readonly #table: Block[]
  /** What the first block to be reserved begins with. */
  #aside: readonly number[]
  #closed = false

  constructor(
    cache: BlockCache,
    scope: string,
    table: Block[],
    cached: number[],
    aside: readonly number[] = [],
  ) {
    this.#cache = cache
    this.#scope = scope
    this.#table = table
    this.#aside = aside
    this.committed = cached
    this.cachedTokens = cached.length
  }

  /** Positions that the blocks held now can store. */
  get room(): number {
    return this.#table.length * this.#cache.blockTokens
  }

  reserve(tokens: number): boolean {
    this.#checkOpen()
    const missing = Math.ceil((this.committed.length + tokens - this.room) / this.#cache.blockTokens)
    if (missing <= 0) return true
    const blocks = this.#cache.take(missing)
    if (blocks === undefined) return false
    blocks[0]!.page.set(this.#aside)
    this.#aside = []
    this.#table.push(...blocks)
    return true
  }

  beginning(length: number): BlockSequence {
    this.#checkOpen()
    if (length > this.committed.length) throw new Error(`only ${this.committed.length} tokens are committed`)
    const size = this.#cache.blockTokens
    const full = Math.floor(length / size)
    const table = this.#table.slice(0, full)
    for (const block of table) block.holders += 1
    const aside = Array.from({ length: length % size }, (_, at) => this.#at(full * size + at))
    return new BlockSequence(this.#cache, this.#scope, table, this.committed.slice(0, length), aside)
  }

  write(start: number, tokens: Int32Array): void {
    this.#checkOpen()
    for (const [index, token] of tokens.entries()) this.#at(start + index, token)
  }

  read(length: number): number[] {
    this.#checkOpen()
    return Array.from({ length }, (_, position) => this.#at(position))
  }

  commit(tokens: Int32Array): void {
    this.#checkOpen()
    for (const token of tokens) {
      this.committed.push(token)
      const end = this.committed.length
      if (end % this.#cache.blockTokens === 0)
        this.#cache.share(this.#table[end / this.#cache.blockTokens - 1]!, this.#scope, this.committed)
    }
  }

  close(): void {
    this.#checkOpen()
    this.#closed = true
    for (const block of this.#table) block.holders -= 1
  }

  #at(position: number, write?: number): number {
    const size = this.#cache.blockTokens
    const block = this.#table[Math.floor(position / size)]
    if (block === undefined) throw new Error(`position ${position} was not reserved`)
    if (write !== undefined) {
      if (block.holders > 1) throw new Error(`position ${position} is shared and must not be written`)
      block.page[position % size] = write
    }
    return block.page[position % size]!
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error('the sequence is closed')
  }
}

function keyOf(scope: string, tokens: ArrayLike<number>): string {
  return `${scope}:${Array.from(tokens).join(',')}`
}
