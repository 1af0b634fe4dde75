import type { KvPages, PagedAttentionOptions, PagedWriteOptions, PageShape } from '../interface.js'
import { bf16FromF32, f32FromBf16 } from './convert.js'
import { largest, quantizeRow, roundHalfEven } from './quantize.js'

/** Positions that share a maximum. */
const SPAN = 256
/** Bytes of an f32. */
const SCALE = 4
/** The largest integer that a weight is held as beside int8 values, where 0 is the least: Σ over a span stays below 2³¹. */
const WEIGHT_LIMIT = 32767
/** Values of a dimension that lie beside each other in a head of int8 values, one of each token. */
const BESIDE = 4

/** Values that one head of a block takes: those of its tokens, and in int8 the bytes of their scales [blockTokens]. */
export function headValues(pages: KvPages, { headDim, blockTokens }: PageShape): number {
  return blockTokens * (headDim + (pages instanceof Int8Array ? SCALE : 0))
}

/** Where a head of a slot's block, and in int8 the slot's scale, start in pages [blocks, kvHeads, headValues]; `offset` is the slot's in it. */
function pageAt(
  pages: KvPages,
  slot: number,
  head: number,
  shape: PageShape,
): { start: number; offset: number; scale: number } {
  const { kvHeads, headDim, blockTokens } = shape
  const offset = slot % blockTokens
  const start = (((slot - offset) / blockTokens) * kvHeads + head) * headValues(pages, shape)
  return { start, offset, scale: start + blockTokens * headDim + offset * SCALE }
}

/** Where dimension `i` of a token is in a head of keys or of values: see `KvPages`. */
function placeOf(
  pages: KvPages,
  content: PagedWriteOptions['content'],
  offset: number,
  i: number,
  { headDim, blockTokens }: PageShape,
): number {
  if (content === 'values') {
    const beside = pages instanceof Int8Array ? BESIDE : 1
    const within = offset % beside
    const first = offset - within
    return first * headDim + i * Math.min(beside, blockTokens - first) + within
  }
  const perWord = 4 / pages.BYTES_PER_ELEMENT
  const within = i % perWord
  const first = i - within
  return first * blockTokens + offset * Math.min(perWord, headDim - first) + within
}

/** What is stored of an int8, and back: of keys 128 more, as an unsigned byte. */
const stored = (value: number, content: PagedWriteOptions['content']): number =>
  content === 'keys' ? value ^ -128 : value

const view = (pages: KvPages): DataView => new DataView(pages.buffer, pages.byteOffset, pages.byteLength)

export function pagedWrite(
  pages: KvPages,
  rows: Float32Array,
  slots: Int32Array,
  options: PagedWriteOptions,
): void {
  const { kvHeads, headDim, content } = options
  const rounded = new Int8Array(pages instanceof Int8Array ? headDim : 0)
  for (let t = 0; t < slots.length; t++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (t * kvHeads + head) * headDim
      const at = pageAt(pages, slots[t]!, head, options)
      if (pages instanceof Int8Array)
        view(pages).setFloat32(at.scale, quantizeRow(rounded, 0, rows, from, headDim), true)
      for (let i = 0; i < headDim; i++) {
        const value = pages instanceof Int8Array ? stored(rounded[i]!, content) : rows[from + i]!
        pages[at.start + placeOf(pages, content, at.offset, i, options)] =
          pages instanceof Uint16Array ? bf16FromF32(value) : value
      }
    }
  }
}

/**
 * `attention` for one query token at a time, keys and values found through the block table, span by span.
 *
 * Int8: a query is held in integers up to `queryLimit` with one unit, the weights of a span times the scales of their values in integers up
 * to 32767 with another; so both sums are whole numbers below 2³¹ and have no order.
 */
export function pagedAttention(
  out: Float32Array,
  q: Float32Array,
  keyPages: KvPages,
  valuePages: KvPages,
  options: PagedAttentionOptions,
): void {
  const { heads, kvHeads, headDim, blockTokens, sequences, positions, blockTables, maxBlocks } = options
  const scale = options.scale ?? 1 / Math.sqrt(headDim)
  const int8 = keyPages instanceof Int8Array
  const [mixed, ofSpan, row] = [
    new Float64Array(headDim),
    new Float64Array(headDim),
    new Float64Array(headDim),
  ]
  const [scaled, weights] = [new Float32Array(headDim), new Float32Array(SPAN)]
  const scores = new Float64Array(SPAN)
  for (let t = 0; t < positions.length; t++) {
    const table = sequences[t]! * maxBlocks
    const seen = positions[t]! + 1
    /** Reads a position's row and returns its scale. */
    const read = (content: PagedWriteOptions['content'], position: number, head: number): number => {
      const pages = content === 'keys' ? keyPages : valuePages
      const block = blockTables[table + Math.floor(position / blockTokens)]!
      const at = pageAt(pages, block * blockTokens + (position % blockTokens), head, options)
      for (let i = 0; i < headDim; i++) {
        const value = pages[at.start + placeOf(pages, content, at.offset, i, options)]!
        if (pages instanceof Int8Array) row[i] = stored(value, content)
        else row[i] = pages instanceof Uint16Array ? f32FromBf16(value) : value
      }
      return pages instanceof Int8Array ? view(pages).getFloat32(at.scale, true) : 1
    }
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads)
      const query = (t * heads + h) * headDim
      for (let i = 0; i < headDim; i++) scaled[i] = q[query + i]! * Math.fround(scale)
      const unit = int8 ? toIntegers(scaled, -queryLimit(headDim), queryLimit(headDim)) : 1
      let [high, sum] = [-Infinity, 0]
      mixed.fill(0)
      for (let start = 0; start < seen; start += SPAN) {
        const length = Math.min(SPAN, seen - start)
        let highOfSpan = -Infinity
        for (let s = 0; s < length; s++) {
          const keyScale = read('keys', start + s, kvHead)
          let score = 0
          for (let i = 0; i < headDim; i++) score += scaled[i]! * row[i]!
          scores[s] = score * unit * keyScale
          if (scores[s]! > highOfSpan) highOfSpan = scores[s]!
        }
        let sumOfSpan = 0
        for (let s = 0; s < length; s++) {
          const weight = Math.exp(scores[s]! - finiteOrZero(highOfSpan))
          sumOfSpan += weight
          weights[s] = weight * read('values', start + s, kvHead)
        }
        const factor = int8 ? toIntegers(weights.subarray(0, length), 0, WEIGHT_LIMIT) : 1
        ofSpan.fill(0)
        for (let s = 0; s < length; s++) {
          read('values', start + s, kvHead)
          for (let i = 0; i < headDim; i++) ofSpan[i]! += weights[s]! * row[i]!
        }
        // Both brought to the larger maximum.
        const higher = Math.max(high, highOfSpan)
        const keep = Math.exp(high - finiteOrZero(higher))
        const add = Math.exp(highOfSpan - finiteOrZero(higher))
        for (let i = 0; i < headDim; i++) mixed[i] = mixed[i]! * keep + ofSpan[i]! * factor * add
        sum = sum * keep + sumOfSpan * add
        high = higher
      }
      for (let i = 0; i < headDim; i++) out[query + i] = mixed[i]! / sum
    }
  }
}

/** The largest integer that an element of a query is held as beside int8 keys: two signed bytes hold it, and Σ over the dimensions stays below 2³¹. */
function queryLimit(headDim: number): number {
  return Math.min(127 * 256 + 127, Math.floor((2 ** 31 - 1) / (128 * headDim)))
}

/** x = round(x·(limit / max|x|)), half to even, not below `least`; returns what one stands for: NaN where x holds what is no finite number. */
function toIntegers(x: Float32Array, least: number, limit: number): number {
  const size = largest(x, 0, x.length)
  const inverse = size > 0 && size < Infinity ? Math.fround(limit / size) : 0
  for (let i = 0; i < x.length; i++)
    x[i] =
      inverse > 0 && x[i] !== 0 // beside a denormal the inverse is infinite, and 0 stays 0
        ? Math.max(least, Math.min(limit, roundHalfEven(Math.fround(x[i]! * inverse))))
        : 0
  return size < Infinity ? Math.fround(size / limit) : Number.NaN
}

/** What is subtracted from scores: −∞ less itself would be NaN. */
function finiteOrZero(high: number): number {
  return high === -Infinity ? 0 : high
}
