import { BlockPool } from './block-pool.js'
import { PrefixIndex } from './prefix-index.js'
import { ScopeTable } from './scope-table.js'

/**
 * Blocks that sequences share: the pool says who uses a block, the index what is in it.
 *
 * Two rules hold at every moment, and with them eviction is safe. (1) Whoever holds an indexed block holds its parent too: a sequence
 * holds its whole prefix, and `share` swaps a duplicate for the indexed original. (2) Hence a parent is released after its
 * children, and the free list meets a child before its parent: what `allocate` evicts never has a cached child.
 */
export class SharedBlocks {
  readonly blockTokens: number
  readonly #pool: BlockPool
  readonly #index: PrefixIndex
  readonly #scopes = new ScopeTable()
  #generation = 0
  #evictions = 0

  constructor(blocks: number, blockTokens: number) {
    this.blockTokens = blockTokens
    this.#pool = new BlockPool(blocks)
    this.#index = new PrefixIndex({ blocks, blockTokens, seed: (Math.random() * 2 ** 32) | 0 })
  }

  get free(): number {
    return this.#pool.free
  }
  /** Blocks that a new sequence may find, in use or not. */
  get cached(): number {
    return this.#index.size
  }
  get evictions(): number {
    return this.#evictions
  }
  /** Scopes with an open sequence or a cached block. */
  get scopes(): number {
    return this.#scopes.size
  }
  /** Grows with every `clear`; a sequence of an older generation shares no more blocks. */
  get generation(): number {
    return this.#generation
  }
  /** [blocks, blockTokens] */
  get tokens(): Int32Array {
    return this.#index.tokens
  }

  isUsed(block: number): boolean {
    return this.#pool.references(block) > 0
  }
  isShared(block: number): boolean {
    return this.#index.has(block)
  }
  /** Whether its one holder may write into it. */
  isOwn(block: number): boolean {
    return this.#pool.references(block) === 1 && !this.#index.has(block)
  }

  /** The root of a scope, to pass as `parent` of a first block, with one more user. */
  enterScope(scope: string): number {
    return ~this.#scopes.enter(scope)
  }
  retainScope(root: number): void {
    this.#scopes.retain(~root)
  }
  leaveScope(root: number): void {
    this.#scopes.leave(~root)
  }

  /** The cached block with these tokens after `parent`, now with one more reference; −1 if there is none. */
  adopt(parent: number, tokens: Int32Array, at: number): number {
    const block = this.#index.find(parent, tokens, at)
    if (block >= 0) this.#pool.retain(block)
    return block
  }

  /** A block with one reference and no content, evicting the least recently used cached one if no other is free; −1 if all are in use. */
  allocate(): number {
    const block = this.#pool.allocate()
    if (block >= 0 && this.#index.has(block)) {
      this.#forget(block)
      this.#evictions += 1
    }
    return block
  }

  /** Makes a full block findable after `parent`. If that content is cached already, the block goes back and the cached one is returned in its place. */
  share(block: number, parent: number): number {
    const original = this.adopt(parent, this.tokens, block * this.blockTokens)
    if (original >= 0) {
      this.release(block)
      return original
    }
    this.#index.add(block, parent)
    if (parent < 0) this.#scopes.retain(~parent)
    return block
  }

  /** One more reference to a block in use. */
  retain(block: number): void {
    this.#pool.retain(block)
  }

  release(block: number): void {
    this.#pool.release(block, this.#index.has(block) ? 'late' : 'soon')
  }

  /** Forgets all content; blocks in use stay with their sequences. */
  clear(): void {
    for (let block = 0; block < this.#pool.blocks; block += 1) if (this.#index.has(block)) this.#forget(block)
    this.#generation += 1
  }

  #forget(block: number): void {
    const parent = this.#index.parent(block)
    this.#index.remove(block)
    if (parent < 0) this.#scopes.leave(~parent)
  }
}
