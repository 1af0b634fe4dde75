import type { KvPages, PagedAttentionOptions, PageShape } from '../interface.js'
import { bf16FromF32, f32FromBf16 } from './convert.js'
import { quantizeRow } from './quantize.js'

/** Positions that share a maximum. */
const SPAN = 256
/** Bytes of an f32. */
const SCALE = 4

/** Values that one head of a block takes: rows [blockTokens, headDim], and in int8 the bytes of their scales [blockTokens]. */
export function headValues(pages: KvPages, { headDim, blockTokens }: PageShape): number {
  return blockTokens * (headDim + (pages instanceof Int8Array ? SCALE : 0))
}

/** Where a slot's row and, in int8, its scale start in pages [blocks, kvHeads, blockTokens, headDim]. */
function pageAt(
  pages: KvPages,
  slot: number,
  head: number,
  shape: PageShape,
): { row: number; scale: number } {
  const { kvHeads, headDim, blockTokens } = shape
  const offset = slot % blockTokens
  const start = (((slot - offset) / blockTokens) * kvHeads + head) * headValues(pages, shape)
  return { row: start + offset * headDim, scale: start + blockTokens * headDim + offset * SCALE }
}

const view = (pages: KvPages): DataView => new DataView(pages.buffer, pages.byteOffset, pages.byteLength)

export function pagedWrite(pages: KvPages, rows: Float32Array, slots: Int32Array, shape: PageShape): void {
  const { kvHeads, headDim } = shape
  for (let t = 0; t < slots.length; t++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (t * kvHeads + head) * headDim
      const at = pageAt(pages, slots[t]!, head, shape)
      if (pages instanceof Int8Array)
        view(pages).setFloat32(at.scale, quantizeRow(pages, at.row, rows, from, headDim), true)
      else
        for (let i = 0; i < headDim; i++)
          pages[at.row + i] = pages instanceof Uint16Array ? bf16FromF32(rows[from + i]!) : rows[from + i]!
    }
  }
}

/** `attention` for one query token at a time, keys and values found through the block table, span by span. */
export function pagedAttention(
  out: Float32Array,
  q: Float32Array,
  keyPages: KvPages,
  valuePages: KvPages,
  options: PagedAttentionOptions,
): void {
  const { heads, kvHeads, headDim, blockTokens, sequences, positions, blockTables, maxBlocks } = options
  const scale = options.scale ?? 1 / Math.sqrt(headDim)
  const [mixed, ofSpan, row] = [
    new Float64Array(headDim),
    new Float64Array(headDim),
    new Float64Array(headDim),
  ]
  const scores = new Float64Array(SPAN)
  for (let t = 0; t < positions.length; t++) {
    const table = sequences[t]! * maxBlocks
    const seen = positions[t]! + 1
    /** Reads a position's row and returns its scale. */
    const read = (pages: KvPages, position: number, head: number): number => {
      const block = blockTables[table + Math.floor(position / blockTokens)]!
      const at = pageAt(pages, block * blockTokens + (position % blockTokens), head, options)
      for (let i = 0; i < headDim; i++) {
        const value = pages[at.row + i]!
        row[i] = pages instanceof Uint16Array ? f32FromBf16(value) : value
      }
      return pages instanceof Int8Array ? view(pages).getFloat32(at.scale, true) : 1
    }
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads)
      const query = (t * heads + h) * headDim
      let [high, sum] = [-Infinity, 0]
      mixed.fill(0)
      for (let start = 0; start < seen; start += SPAN) {
        const length = Math.min(SPAN, seen - start)
        let highOfSpan = -Infinity
        for (let s = 0; s < length; s++) {
          const keyScale = read(keyPages, start + s, kvHead)
          let score = 0
          for (let i = 0; i < headDim; i++) score += q[query + i]! * scale * row[i]!
          scores[s] = score * keyScale
          if (scores[s]! > highOfSpan) highOfSpan = scores[s]!
        }
        let sumOfSpan = 0
        ofSpan.fill(0)
        for (let s = 0; s < length; s++) {
          const weight = Math.exp(scores[s]! - finiteOrZero(highOfSpan))
          sumOfSpan += weight
          const scaled = weight * read(valuePages, start + s, kvHead)
          for (let i = 0; i < headDim; i++) ofSpan[i]! += scaled * row[i]!
        }
        // Both brought to the larger maximum.
        const higher = Math.max(high, highOfSpan)
        const keep = Math.exp(high - finiteOrZero(higher))
        const add = Math.exp(highOfSpan - finiteOrZero(higher))
        for (let i = 0; i < headDim; i++) mixed[i] = mixed[i]! * keep + ofSpan[i]! * add
        sum = sum * keep + sumOfSpan * add
        high = higher
      }
      for (let i = 0; i < headDim; i++) out[query + i] = mixed[i]! / sum
    }
  }
}

/** What is subtracted from scores: −∞ less itself would be NaN. */
function finiteOrZero(high: number): number {
  return high === -Infinity ? 0 : high
}
