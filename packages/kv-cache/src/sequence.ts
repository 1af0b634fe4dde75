import { BioError } from '@bio/errors'
import { checkInt32, checkInteger, disposedError } from './checks.js'
import type { SharedBlocks } from './shared-blocks.js'

/** @internal What a sequence tells its cache. */
export interface SequenceHooks {
  readonly onClose: (sequence: Sequence) => void
  /** The keys and values of a block are to be copied to another one. */
  readonly onCopy: (from: number, to: number) => void
}

/**
 * The keys and values of one token sequence: a table of blocks that grows by `reserve` and fills by `commit`. Made by
 * `PagedKvCache.open` and `fork`; close it (or declare it with `using`) to give its blocks back.
 *
 * One step of a model: `reserve(n)`, write n keys and values into the slots of positions `length … length + n`, `commit(tokens)`.
 * Every method throws ERR_BIO_DISPOSED after `close`, except `close`.
 */
export class Sequence implements Disposable {
  readonly #blocks: SharedBlocks
  readonly #root: number
  readonly #generation: number
  readonly #hooks: SequenceHooks
  /** [capacity] of which the first `#count` are this sequence's blocks. */
  #table: Int32Array
  #count = 0
  /** Whether the last block is another sequence's, partly filled: copied before this one writes. */
  #borrows = false
  #cachedTokens = 0
  #length = 0
  #reserved = 0
  #closed = false

  private constructor(
    blocks: SharedBlocks,
    place: { readonly root: number; readonly generation: number; readonly capacity: number },
    hooks: SequenceHooks,
  ) {
    this.#blocks = blocks
    this.#root = place.root
    this.#generation = place.generation
    this.#table = new Int32Array(place.capacity)
    this.#hooks = hooks
  }

  /** @internal Begins with the longest cached prefix of `tokens`. */
  static open(
    blocks: SharedBlocks,
    tokens: Int32Array,
    options: SequenceHooks & { readonly scope: string },
  ): Sequence {
    const { generation, blockTokens } = blocks
    const capacity = Math.ceil(tokens.length / blockTokens) + 1
    const sequence = new Sequence(
      blocks,
      { root: blocks.enterScope(options.scope), generation, capacity },
      options,
    )
    sequence.#adoptPrefix(tokens)
    sequence.#begin(sequence.#count * blockTokens)
    return sequence
  }

  /** @internal Begins with the first `length` tokens of `source`, in the same blocks; with none after a `clear`. */
  static fork(source: Sequence, length: number): Sequence {
    const blocks = source.#blocks
    const { generation, blockTokens } = blocks
    const shared = source.#generation === generation ? length : 0
    const count = Math.ceil(shared / blockTokens)
    blocks.retainScope(source.#root)
    const sequence = new Sequence(
      blocks,
      { root: source.#root, generation, capacity: count + 1 },
      source.#hooks,
    )
    for (const block of source.#table.subarray(0, count)) {
      blocks.retain(block)
      sequence.#append(block)
    }
    sequence.#borrows = shared % blockTokens !== 0
    sequence.#begin(shared)
    return sequence
  }

  /** Tokens whose keys and values were there when the sequence began: whole blocks and never the last token, or those of a fork. */
  get cachedTokens(): number {
    return this.#cachedTokens
  }

  /** Committed tokens, the cached ones included. */
  get length(): number {
    return this.#length
  }

  /** Positions that may be written and committed: `length` and what `reserve` added. */
  get reserved(): number {
    return this.#reserved
  }

  /**
   * A view of the block numbers, in order; position p lies in block blockTable[⌊p / blockTokens⌋]. Take it anew for each step: `reserve`
   * adds blocks, or copies the last one of a fork, and `commit` may swap a block for an equal one that was cached already.
   */
  get blockTable(): Int32Array {
    this.#check('Sequence.blockTable')
    return this.#table.subarray(0, this.#count)
  }

  /**
   * Makes room for `tokens` more than are committed, evicting least recently used cached blocks where needed. The first room of a fork
   * may take one block more, for a copy of the last one. False means that too many blocks are in use: then nothing changed.
   * @throws ERR_BIO_VALUE for a negative or fractional number.
   */
  reserve(tokens: number): boolean {
    this.#check('Sequence.reserve')
    checkInteger('Sequence.reserve', 'tokens', tokens, 0)
    const needed = Math.ceil((this.#length + tokens) / this.#blocks.blockTokens)
    const last = this.#table[this.#count - 1]!
    const copies = tokens > 0 && this.#borrows && !this.#blocks.isOwn(last) ? 1 : 0
    if (needed - this.#count + copies > this.#blocks.free) return false
    if (copies > 0) this.#table[this.#count - 1] = this.#copy(last)
    if (tokens > 0) this.#borrows = false
    if (needed > this.#table.length) this.#grow(needed)
    while (this.#count < needed) this.#append(this.#blocks.allocate())
    this.#reserved = Math.max(this.#reserved, this.#length + tokens)
    return true
  }

  /**
   * Says that the keys and values of these tokens, at positions `length …`, are written in every layer. Each block that fills becomes
   * findable at once, also by sequences opened while this one runs. If another sequence committed the same block first, this one
   * takes that block and gives its own back: the contents are equal where the model's arithmetic doesn't depend on the batch.
   * @throws ERR_BIO_CAPACITY beyond `reserved`, ERR_BIO_DTYPE; then nothing changed.
   */
  commit(tokens: Int32Array): void {
    this.#check('Sequence.commit')
    checkInt32('Sequence.commit', 'tokens', tokens)
    if (this.#length + tokens.length > this.#reserved) {
      throw new BioError('ERR_BIO_CAPACITY', {
        operation: 'Sequence.commit',
        expected: `at most ${this.#reserved - this.#length} tokens (reserved and not committed)`,
        received: `${tokens.length} tokens`,
        hint: 'Call reserve(tokens) before the step and check that it returned true.',
      })
    }
    const { blockTokens } = this.#blocks
    for (let at = 0; at < tokens.length;) {
      const offset = this.#length % blockTokens
      const taken = Math.min(blockTokens - offset, tokens.length - at)
      const block = this.#table[Math.floor(this.#length / blockTokens)]!
      this.#blocks.tokens.set(tokens.subarray(at, at + taken), block * blockTokens + offset)
      this.#length += taken
      at += taken
      if (offset + taken === blockTokens) this.#share(this.#length / blockTokens - 1)
    }
  }

  /** Gives the blocks back; committed full ones stay cached until they are evicted. Closing twice is allowed. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (let i = this.#count - 1; i >= 0; i -= 1) this.#blocks.release(this.#table[i]!)
    this.#blocks.leaveScope(this.#root)
    this.#hooks.onClose(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #begin(length: number): void {
    this.#cachedTokens = length
    this.#length = length
    this.#reserved = length
  }

  /** A block of this sequence alone with what is in `block`, which goes back. */
  #copy(block: number): number {
    const copy = this.#blocks.allocate()
    const { blockTokens, tokens } = this.#blocks
    tokens.copyWithin(copy * blockTokens, block * blockTokens, (block + 1) * blockTokens)
    this.#hooks.onCopy(block, copy)
    this.#blocks.release(block)
    return copy
  }

  #adoptPrefix(tokens: Int32Array): void {
    const { blockTokens } = this.#blocks
    for (let at = 0; at + blockTokens < tokens.length; at += blockTokens) {
      const block = this.#blocks.adopt(this.#parent(this.#count), tokens, at)
      if (block < 0) return
      this.#append(block)
    }
  }

  #share(i: number): void {
    if (this.#generation === this.#blocks.generation)
      this.#table[i] = this.#blocks.share(this.#table[i]!, this.#parent(i))
  }

  #parent(i: number): number {
    return i === 0 ? this.#root : this.#table[i - 1]!
  }

  #append(block: number): void {
    this.#table[this.#count] = block
    this.#count += 1
  }

  #grow(needed: number): void {
    const larger = new Int32Array(Math.max(needed, 2 * this.#table.length))
    larger.set(this.#table)
    this.#table = larger
  }

  #check(operation: string): void {
    if (this.#closed) throw disposedError(operation, 'sequence')
  }
}
