import type { PageShape } from '@bio/kernels'

/** `pagedWrite` as its contract says it, one value at a time: tests of the bookkeeping need no more of the kernels. */
export const plainKernels = {
  pagedWrite(pages: Float32Array, rows: Float32Array, slots: Int32Array, shape: PageShape): void {
    for (const [token, slot] of slots.entries()) {
      for (let head = 0; head < shape.kvHeads; head += 1) {
        for (let i = 0; i < shape.headDim; i += 1)
          pages[address(shape, slot, head, i)] = rows[(token * shape.kvHeads + head) * shape.headDim + i]!
      }
    }
  },
}

/** Where value `i` of `head` lies for a slot in pages [blocks, kvHeads, blockTokens, headDim]. */
export function address(shape: PageShape, slot: number, head: number, i: number): number {
  const { kvHeads, blockTokens, headDim } = shape
  const block = Math.floor(slot / blockTokens)
  return ((block * kvHeads + head) * blockTokens + (slot % blockTokens)) * headDim + i
}
