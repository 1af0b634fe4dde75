/**
 * Which blocks are in use and which may be used next: a reference count per block, and an intrusive doubly linked list of the
 * blocks that nobody refers to. Nothing is allocated after construction; every operation takes constant time.
 *
 * The list is ordered by reuse: blocks without content first, then cached content, least recently released first. The order of
 * vLLM's free queue (docs/design/prefix_caching.md), except that blocks without content don't wait behind cached ones.
 */
export class BlockPool {
  readonly blocks: number
  /** [blocks] references per block; 0 means that the block is in the free list. */
  readonly #references: Int32Array
  /** [blocks + 1] the free list; the last entry is its sentinel, so that no end is special. */
  readonly #next: Int32Array
  readonly #previous: Int32Array
  #free: number

  constructor(blocks: number) {
    this.blocks = blocks
    this.#references = new Int32Array(blocks)
    this.#next = new Int32Array(blocks + 1)
    this.#previous = new Int32Array(blocks + 1)
    for (let block = 0; block <= blocks; block += 1) {
      this.#next[block] = block === blocks ? 0 : block + 1
      this.#previous[block] = block === 0 ? blocks : block - 1
    }
    this.#free = blocks
  }

  /** Blocks without a reference, those with cached content included. */
  get free(): number {
    return this.#free
  }

  references(block: number): number {
    return this.#references[block]!
  }

  /** The block to reuse first, now with one reference; −1 when none is free. */
  allocate(): number {
    if (this.#free === 0) return -1
    const block = this.#next[this.blocks]!
    this.retain(block)
    return block
  }

  /** One more reference; a free block leaves the free list. */
  retain(block: number): void {
    if (this.#references[block] === 0) this.#unlink(block)
    this.#references[block]! += 1
  }

  /** One reference fewer. The last one puts the block back: 'soon' to be reused first (no content), 'late' to be reused last. */
  release(block: number, reuse: 'soon' | 'late'): void {
    this.#references[block]! -= 1
    if (this.#references[block] !== 0) return
    const sentinel = this.blocks
    if (reuse === 'soon') this.#link(block, sentinel, this.#next[sentinel]!)
    else this.#link(block, this.#previous[sentinel]!, sentinel)
  }

  /** The free blocks in the order of their reuse. */
  *freeBlocks(): Generator<number> {
    for (let block = this.#next[this.blocks]!; block !== this.blocks; block = this.#next[block]!) yield block
  }

  #link(block: number, before: number, after: number): void {
    this.#previous[block] = before
    this.#next[block] = after
    this.#next[before] = block
    this.#previous[after] = block
    this.#free += 1
  }

  #unlink(block: number): void {
    const before = this.#previous[block]!
    const after = this.#next[block]!
    this.#next[before] = after
    this.#previous[after] = before
    this.#free -= 1
  }
}
