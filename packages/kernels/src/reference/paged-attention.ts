import type { PagedAttentionOptions, PageShape } from '../interface.js'

/** Where a head of the token in a slot starts in pages [blocks, kvHeads, blockTokens, headDim]. */
function pageAt(slot: number, head: number, { kvHeads, headDim, blockTokens }: PageShape): number {
  const offset = slot % blockTokens
  return (((slot - offset) / blockTokens) * kvHeads + head) * blockTokens * headDim + offset * headDim
}

export function pagedWrite(
  pages: Float32Array,
  rows: Float32Array,
  slots: Int32Array,
  shape: PageShape,
): void {
  const { kvHeads, headDim } = shape
  for (let t = 0; t < slots.length; t++) {
    for (let head = 0; head < kvHeads; head++) {
      const from = (t * kvHeads + head) * headDim
      pages.set(rows.subarray(from, from + headDim), pageAt(slots[t]!, head, shape))
    }
  }
}

/** `attention` for one query token at a time, keys and values found through the block table. */
export function pagedAttention(
  out: Float32Array,
  q: Float32Array,
  keyPages: Float32Array,
  valuePages: Float32Array,
  options: PagedAttentionOptions,
): void {
  const { heads, kvHeads, headDim, blockTokens, sequences, positions, blockTables, maxBlocks } = options
  const scale = options.scale ?? 1 / Math.sqrt(headDim)
  const mixed = new Float64Array(headDim)
  for (let t = 0; t < positions.length; t++) {
    const table = sequences[t]! * maxBlocks
    const keys = positions[t]! + 1
    const scores = new Float64Array(keys)
    const slotOf = (position: number): number =>
      blockTables[table + Math.floor(position / blockTokens)]! * blockTokens + (position % blockTokens)
    for (let h = 0; h < heads; h++) {
      const kvHead = Math.floor((h * kvHeads) / heads)
      const query = (t * heads + h) * headDim
      let high = -Infinity
      for (let s = 0; s < keys; s++) {
        const key = pageAt(slotOf(s), kvHead, options)
        let sum = 0
        for (let i = 0; i < headDim; i++) sum += q[query + i]! * keyPages[key + i]!
        scores[s] = sum * scale
        high = Math.max(high, scores[s]!)
      }
      let sum = 0
      mixed.fill(0)
      for (let s = 0; s < keys; s++) {
        const weight = Math.exp(scores[s]! - high)
        sum += weight
        const value = pageAt(slotOf(s), kvHead, options)
        for (let i = 0; i < headDim; i++) mixed[i]! += weight * valuePages[value + i]!
      }
      for (let i = 0; i < headDim; i++) out[query + i] = mixed[i]! / sum
    }
  }
}
