import { BioError } from '@bio/errors'
import { getKernels, type Kernels, type KvPages, type PagedWriteOptions } from '@bio/kernels'
import { checkIndex, checkInt32, checkInteger, checkScope, disposedError } from './checks.js'
import {
  pageFormats,
  pageLayout,
  type KvDtype,
  type PageLayout,
  type PageLayoutOptions,
} from './page-layout.js'
import { Sequence, type SequenceHooks } from './sequence.js'
import { SharedBlocks } from './shared-blocks.js'

export interface PagedKvCacheOptions extends PageLayoutOptions {
  /** Default: `getKernels()` of @bio/kernels, asked for at the first `write`. */
  readonly kernels?: Pick<Kernels, 'pagedWrite'>
}

export interface PagedKvCacheStats {
  /** All blocks: usedBlocks + freeBlocks. */
  readonly blocks: number
  /** Blocks that open sequences hold; one held by several counts once. */
  readonly usedBlocks: number
  /** Blocks that `reserve` may take, cached ones included. */
  readonly freeBlocks: number
  /** Blocks whose tokens a new sequence would find, used or free. */
  readonly cachedBlocks: number
  /** Tokens of all sequences opened or forked that were there, and that were not. */
  readonly hitTokens: number
  readonly missTokens: number
  /** Cached blocks given up to make room. */
  readonly evictions: number
  /** Size of keys and values, used and free. The bookkeeping adds 4·blockTokens + 33 bytes or less per block. */
  readonly bytes: number
}

/**
 * Keys and values of many sequences in one fixed budget, in blocks of `blockTokens` tokens, where sequences that start with the same
 * tokens share the blocks of that prefix, also while they run.
 *
 * - Prefixes match by whole blocks; the last block of a sequence, while not full, is its own and its forks'. A prefix belongs to its `scope`.
 * - Blocks of closed sequences stay until room is needed; then the least recently used goes first, the end of a sequence before its beginning.
 *   A block in use is never evicted.
 * - Pages are per layer one array of keys and one of values [blocks, kvHeads, …], in the layout of `pagedAttention` (`KvPages`) and in `dtype`: f32, bf16, or int8 with a scale per token and head. They are claimed at construction and never move; the system provides their
 *   memory as blocks are first used, lowest numbers first.
 *
 * All methods are synchronous. Every method but `dispose` throws ERR_BIO_DISPOSED after `dispose`.
 *
 * PagedAttention: Kwon et al. 2023. Departures: free blocks without content go before cached ones, and a block that two sequences computed at
 * the same time is kept once (vLLM keeps both until one is freed).
 *
 * @example
 * ```ts
 * import { PagedKvCache } from '@bio/kv-cache'
 *
 * using cache = new PagedKvCache({ layers: 2, kvHeads: 2, headDim: 8, blockTokens: 4, bytes: 2 ** 20 })
 * const prompt = Int32Array.of(1, 2, 3, 4, 5, 6)
 * const slots = new Int32Array(6)
 * using first = cache.open(prompt, { scope: 'tenant a' })
 * first.reserve(6)
 * cache.slots(first, 0, 6, slots, 0) // for each layer: cache.write(layer, keyRows, valueRows, slots), then attention
 * first.commit(prompt)
 * using second = cache.open(prompt, { scope: 'tenant a' })
 * using stranger = cache.open(prompt, { scope: 'tenant b' })
 * console.log(second.cachedTokens, stranger.cachedTokens) // => 4 0
 * ```
 */
export class PagedKvCache implements Disposable {
  readonly #layout: PageLayout
  /** How each is written: made once, for every step and layer. */
  readonly #ofKeys: PagedWriteOptions
  readonly #ofValues: PagedWriteOptions
  readonly #blocks: SharedBlocks
  /** Per layer, [blocks, kvHeads, blockTokens, headDim], turned within each head of a block: see `KvPages`. */
  #keys: KvPages[]
  #values: KvPages[]
  readonly #open = new Set<Sequence>()
  readonly #hooks: SequenceHooks = {
    onClose: (sequence) => void this.#open.delete(sequence),
    onCopy: (from, to) => this.#copyBlock(from, to),
  }
  #kernels: Pick<Kernels, 'pagedWrite'> | undefined
  #hitTokens = 0
  #missTokens = 0
  #disposed = false

  /** @throws ERR_BIO_VALUE, ERR_BIO_CONFIG (dtype), ERR_BIO_CAPACITY (budget below one block, above 2³¹ slots, or more than can be allocated). */
  constructor(options: PagedKvCacheOptions) {
    this.#layout = pageLayout(options)
    this.#ofKeys = { ...this.#layout, content: 'keys' }
    this.#ofValues = { ...this.#layout, content: 'values' }
    this.#kernels = options.kernels
    const { layers, blocks, blockTokens, bytesPerBlock, dtype } = this.#layout
    const { Pages, valueBytes } = pageFormats[dtype]
    const valuesPerLayer = (blocks * bytesPerBlock) / (2 * layers * valueBytes)
    try {
      this.#blocks = new SharedBlocks(blocks, blockTokens)
      this.#keys = Array.from({ length: layers }, () => new Pages(valuesPerLayer))
      this.#values = Array.from({ length: layers }, () => new Pages(valuesPerLayer))
    } catch (cause) {
      throw new BioError('ERR_BIO_CAPACITY', {
        operation: 'PagedKvCache',
        expected: 'a budget that this process can allocate',
        received: `${blocks * bytesPerBlock} bytes in ${2 * layers} arrays`,
        hint: 'Lower bytes.',
        cause,
      })
    }
  }

  get layers(): number {
    return this.#layout.layers
  }
  get kvHeads(): number {
    return this.#layout.kvHeads
  }
  get headDim(): number {
    return this.#layout.headDim
  }
  get blockTokens(): number {
    return this.#layout.blockTokens
  }
  get dtype(): KvDtype {
    return this.#layout.dtype
  }

  /**
   * A sequence that starts with the longest cached prefix of `tokens`: whole blocks of the same scope, committed by open or closed
   * sequences. The last token is never taken from the cache, since a model must compute one to have logits.
   * `scope` (default '') separates tenants, adapters and whatever else changes keys and values: no block crosses it.
   * @throws ERR_BIO_DTYPE, ERR_BIO_VALUE (scope).
   */
  open(tokens: Int32Array, options: { readonly scope?: string } = {}): Sequence {
    this.#check('PagedKvCache.open')
    checkInt32('PagedKvCache.open', 'tokens', tokens)
    const { scope = '' } = options
    checkScope('PagedKvCache.open', scope)
    const sequence = Sequence.open(this.#blocks, tokens, { scope, ...this.#hooks })
    this.#open.add(sequence)
    this.#hitTokens += sequence.cachedTokens
    this.#missTokens += tokens.length - sequence.cachedTokens
    return sequence
  }

  /**
   * A sequence that begins with the first `length` committed tokens of `sequence`, a partly filled block included, and goes its own
   * way: samples of one prompt, branches of a search. Both hold the same blocks; the last one is copied when the fork first reserves
   * room in it, unless nobody else needs it by then. A fork of a sequence opened before `clear` begins empty, as `cachedTokens` says.
   *
   * @example
   * ```ts
   * import { PagedKvCache } from '@bio/kv-cache'
   *
   * using cache = new PagedKvCache({ layers: 2, kvHeads: 2, headDim: 8, blockTokens: 4, bytes: 2 ** 20 })
   * using trunk = cache.open(Int32Array.of(1, 2, 3, 4, 5, 6))
   * trunk.reserve(6)
   * trunk.commit(Int32Array.of(1, 2, 3, 4, 5, 6))
   * using branch = cache.fork(trunk, 6)
   * branch.reserve(1)
   * console.log(branch.cachedTokens, [...trunk.blockTable], [...branch.blockTable]) // => 6 [ 0, 1 ] [ 0, 2 ]
   * ```
   * @throws ERR_BIO_DISPOSED (closed, or of another cache), ERR_BIO_VALUE, ERR_BIO_INDEX (more than are committed).
   */
  fork(sequence: Sequence, length: number): Sequence {
    const operation = 'PagedKvCache.fork'
    this.#checkOpen(operation, sequence)
    checkInteger(operation, 'length', length, 0)
    checkIndex(operation, 'length', length, sequence.length + 1)
    const fork = Sequence.fork(sequence, length)
    this.#open.add(fork)
    this.#hitTokens += fork.cachedTokens
    this.#missTokens += length - fork.cachedTokens
    return fork
  }

  /**
   * Writes the slots of positions start … start + count into out[at …]; slot = block·blockTokens + offset. Slots at `length` and
   * beyond are for writing; those before are for reading.
   * @throws ERR_BIO_VALUE, ERR_BIO_INDEX (positions not reserved, or no room in `out`), ERR_BIO_DTYPE, ERR_BIO_DISPOSED (closed, or of another cache).
   */
  slots(sequence: Sequence, start: number, count: number, out: Int32Array, at: number): void {
    const operation = 'PagedKvCache.slots'
    this.#checkOpen(operation, sequence)
    checkInt32(operation, 'out', out)
    checkInteger(operation, 'start', start, 0)
    checkInteger(operation, 'count', count, 0)
    checkIndex(operation, 'start + count', start + count, sequence.reserved + 1)
    checkIndex(operation, 'at', at, out.length - count + 1)
    const { blockTokens } = this.#layout
    const table = sequence.blockTable
    for (let i = 0; i < count; i += 1) {
      const offset = (start + i) % blockTokens
      out[at + i] = table[(start + i - offset) / blockTokens]! * blockTokens + offset
    }
  }

  /** The keys of a layer, as `pagedAttention` reads them: the array itself. */
  keys(layer: number): KvPages {
    this.#check('PagedKvCache.keys')
    checkIndex('PagedKvCache.keys', 'layer', layer, this.layers)
    return this.#keys[layer]!
  }

  /** The values of a layer, as `pagedAttention` reads them: the array itself. */
  values(layer: number): KvPages {
    this.#check('PagedKvCache.values')
    checkIndex('PagedKvCache.values', 'layer', layer, this.layers)
    return this.#values[layer]!
  }

  /**
   * Stores one layer's rows [tokens, kvHeads, headDim] of keys and values in `slots` [tokens], in the cache's dtype.
   * @throws ERR_BIO_INDEX (layer or slot out of range, or a slot whose block is free or shared already: nobody may change that),
   * ERR_BIO_SHAPE, ERR_BIO_DTYPE, and what `pagedWrite` throws; before anything is written.
   */
  write(layer: number, keyRows: Float32Array, valueRows: Float32Array, slots: Int32Array): void {
    const operation = 'PagedKvCache.write'
    const keys = this.keys(layer)
    checkInt32(operation, 'slots', slots)
    this.#checkRows('keyRows', keyRows, slots.length)
    this.#checkRows('valueRows', valueRows, slots.length)
    for (const slot of slots) this.#checkSlot(slot)
    this.#kernels ??= getKernels()
    this.#kernels.pagedWrite(keys, keyRows, slots, this.#ofKeys)
    this.#kernels.pagedWrite(this.#values[layer]!, valueRows, slots, this.#ofValues)
  }

  /** A snapshot of the counters. */
  stats(): PagedKvCacheStats {
    this.#check('PagedKvCache.stats')
    const { blocks, bytesPerBlock } = this.#layout
    const { free: freeBlocks, cached: cachedBlocks, evictions } = this.#blocks
    const [hitTokens, missTokens] = [this.#hitTokens, this.#missTokens]
    const usedBlocks = blocks - freeBlocks
    const bytes = blocks * bytesPerBlock
    return { blocks, usedBlocks, freeBlocks, cachedBlocks, hitTokens, missTokens, evictions, bytes }
  }

  /** Forgets every cached prefix, e.g. after the weights changed. Open sequences go on, and share nothing more. Counters stay. */
  clear(): void {
    this.#check('PagedKvCache.clear')
    this.#blocks.clear()
  }

  /** Closes all sequences and drops the pages. Disposing twice is allowed. */
  dispose(): void {
    if (this.#disposed) return
    for (const sequence of this.#open) sequence.close()
    this.#disposed = true
    this.#keys = []
    this.#values = []
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #copyBlock(from: number, to: number): void {
    for (const pages of [...this.#keys, ...this.#values]) {
      const size = pages.length / this.#layout.blocks
      pages.copyWithin(to * size, from * size, (from + 1) * size)
    }
  }

  #checkOpen(operation: string, sequence: Sequence): void {
    this.#check(operation)
    if (!this.#open.has(sequence)) throw disposedError(operation, 'sequence of this cache')
  }

  #checkRows(name: string, rows: Float32Array, tokens: number): void {
    const length = tokens * this.kvHeads * this.headDim
    if (rows instanceof Float32Array && rows.length === length) return
    const isFloat = rows instanceof Float32Array
    throw new BioError(isFloat ? 'ERR_BIO_SHAPE' : 'ERR_BIO_DTYPE', {
      operation: 'PagedKvCache.write',
      expected: `${name} as a Float32Array [${tokens}, ${this.kvHeads}, ${this.headDim}]`,
      received: isFloat ? `${rows.length} values` : typeof rows,
    })
  }

  #checkSlot(slot: number): void {
    const { blocks, blockTokens } = this.#layout
    checkIndex('PagedKvCache.write', 'slot', slot, blocks * blockTokens)
    const block = Math.floor(slot / blockTokens)
    if (this.#blocks.isUsed(block) && !this.#blocks.isShared(block)) return
    throw new BioError('ERR_BIO_INDEX', {
      operation: 'PagedKvCache.write',
      expected: 'slots of reserved positions that are not committed',
      received: `slot ${slot} of a block that is ${this.#blocks.isUsed(block) ? 'committed' : 'free'}`,
      hint: 'Take the slots of this step from PagedKvCache.slots, starting at sequence.length.',
    })
  }

  #check(operation: string): void {
    if (this.#disposed) throw disposedError(operation, 'cache')
  }
}
