import type { KvPages, PagedAttentionOptions } from '@bio/kernels'

/** What the decoder needs of a paged cache: `PagedKvCache` of `@bio/kv-cache` has it. */
export interface PagedCache {
  readonly blockTokens: number
  /** Pages of any number format, the same for keys and values. */
  keys(layer: number): KvPages
  values(layer: number): KvPages
  /** Stores rows [tokens, kvHeads, headDim] in the slots, in the number format of the pages. */
  write(layer: number, keys: Float32Array, values: Float32Array, slots: Int32Array): void
}

/** A sequence of the cache: its blocks in order. */
export interface PagedSequence {
  readonly blockTable: Int32Array
}

/** New tokens of one sequence: a chunk of prefill, or one token to decode. */
export interface SequenceChunk {
  readonly sequence: PagedSequence
  readonly tokens: ArrayLike<number>
  /** Position of the first of them. */
  readonly start: number
}

/** A ragged batch laid out flat: one row per token, whatever sequence it belongs to. */
export interface PagedBatch extends Pick<
  PagedAttentionOptions,
  'sequences' | 'positions' | 'blockTables' | 'maxBlocks'
> {
  readonly tokens: Int32Array // [tokens]
  readonly slots: Int32Array // [tokens] where each token's key and value go
  readonly lastRows: Int32Array // [chunks] row of the last token of each chunk
}

export function flatten(chunks: readonly SequenceChunk[], blockTokens: number): PagedBatch {
  const rows = chunks.reduce((sum, chunk) => sum + chunk.tokens.length, 0)
  const blocks = chunks.map(({ start, tokens }) => Math.ceil((start + tokens.length) / blockTokens))
  const maxBlocks = Math.max(1, ...blocks)
  const tokens = new Int32Array(rows)
  const positions = new Int32Array(rows)
  const sequences = new Int32Array(rows)
  const slots = new Int32Array(rows)
  const lastRows = new Int32Array(chunks.length)
  const blockTables = new Int32Array(chunks.length * maxBlocks) // [chunks, maxBlocks]
  let row = 0
  chunks.forEach((chunk, index) => {
    const table = chunk.sequence.blockTable
    blockTables.set(table.subarray(0, blocks[index]), index * maxBlocks)
    for (let i = 0; i < chunk.tokens.length; i++, row++) {
      const position = chunk.start + i
      tokens[row] = chunk.tokens[i]!
      positions[row] = position
      sequences[row] = index
      slots[row] = table[Math.floor(position / blockTokens)]! * blockTokens + (position % blockTokens)
    }
    lastRows[index] = row - 1
  })
  return { tokens, positions, sequences, slots, lastRows, blockTables, maxBlocks }
}
