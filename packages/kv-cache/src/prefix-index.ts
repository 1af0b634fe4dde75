import { chainHash } from './chain-hash.js'

/**
 * Finds the block that holds given tokens after a given prefix: a trie with one full block per edge, kept flat as a chained hash table
 * in typed arrays. A block's key is its parent (the block before it, or the root of its scope) and its own tokens, so equal tokens in
 * two scopes, or after two prefixes, are different keys.
 *
 * hash[block] = H(hash[parent], tokens of block), hash[root] = seed ⊕ root, as in vLLM's hash chain. The hash only picks a bucket: a
 * hit is verified by comparing parent and tokens, so a collision can cost time but never a wrong block.
 */
export class PrefixIndex {
  /** [blocks, blockTokens] the tokens of each block, written by the block's owner before it is added. */
  readonly tokens: Int32Array
  readonly #blockTokens: number
  readonly #seed: number
  /** [blocks] chain hash, parent and next block of the same bucket (−1: last), meaningful while the block is indexed. */
  readonly #hash: Int32Array
  readonly #parent: Int32Array
  readonly #next: Int32Array
  readonly #indexed: Uint8Array
  /** [buckets] first block of each bucket or −1; a power of two of at least the number of blocks. */
  readonly #buckets: Int32Array
  #size = 0

  /** A `seed` unknown outside keeps it hard to craft prompts that crowd one bucket. */
  constructor(options: { blocks: number; blockTokens: number; seed: number }) {
    const { blocks, blockTokens, seed } = options
    this.tokens = new Int32Array(blocks * blockTokens)
    this.#blockTokens = blockTokens
    this.#seed = seed
    this.#hash = new Int32Array(blocks)
    this.#parent = new Int32Array(blocks)
    this.#next = new Int32Array(blocks)
    this.#indexed = new Uint8Array(blocks)
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(blocks))).fill(-1)
  }

  /** Indexed blocks. */
  get size(): number {
    return this.#size
  }

  has(block: number): boolean {
    return this.#indexed[block] === 1
  }

  /** The block before `block`, or a root (negative). */
  parent(block: number): number {
    return this.#parent[block]!
  }

  /** The block that holds tokens[at … at + blockTokens) after `parent` (a block, or a root: any negative number); −1 if there is none. */
  find(parent: number, tokens: Int32Array, at: number): number {
    const hash = this.#chain(parent, tokens, at)
    let block = this.#buckets[hash & (this.#buckets.length - 1)]!
    while (block >= 0 && !this.#matches(block, hash, parent, tokens, at)) block = this.#next[block]!
    return block
  }

  /** Makes `block`, whose tokens are written, findable after `parent`. The caller knows that `find` has no such block yet. */
  add(block: number, parent: number): void {
    const hash = this.#chain(parent, this.tokens, block * this.#blockTokens)
    const bucket = hash & (this.#buckets.length - 1)
    this.#hash[block] = hash
    this.#parent[block] = parent
    this.#next[block] = this.#buckets[bucket]!
    this.#buckets[bucket] = block
    this.#indexed[block] = 1
    this.#size += 1
  }

  /** Takes an indexed block out. The caller removes a block's children before it. */
  remove(block: number): void {
    const bucket = this.#hash[block]! & (this.#buckets.length - 1)
    if (this.#buckets[bucket] === block) this.#buckets[bucket] = this.#next[block]!
    else {
      let before = this.#buckets[bucket]!
      while (this.#next[before] !== block) before = this.#next[before]!
      this.#next[before] = this.#next[block]!
    }
    this.#indexed[block] = 0
    this.#size -= 1
  }

  #matches(block: number, hash: number, parent: number, tokens: Int32Array, at: number): boolean {
    if (this.#hash[block] !== hash || this.#parent[block] !== parent) return false
    const own = block * this.#blockTokens
    for (let i = 0; i < this.#blockTokens; i += 1) if (this.tokens[own + i] !== tokens[at + i]) return false
    return true
  }

  #chain(parent: number, tokens: Int32Array, at: number): number {
    const previous = parent < 0 ? this.#seed ^ parent : this.#hash[parent]!
    return chainHash(previous, tokens, at, this.#blockTokens)
  }
}
