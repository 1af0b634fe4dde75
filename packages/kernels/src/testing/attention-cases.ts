import type { KvPages, PageShape } from '../interface.js'
import type { Case } from './cases.js'

/** Heads, key heads and an even dimension from any sizes. */
function heads({ n, k }: { n: number; k: number }): { heads: number; kvHeads: number; headDim: number } {
  const kvHeads = 1 + (n % 3)
  return { heads: kvHeads * (1 + (n % 2)), kvHeads, headDim: 2 * (1 + (k % 24)) }
}

/** Pages of each number format. */
export const pageFormats: readonly {
  readonly name: 'f32' | 'bf16' | 'int8'
  readonly pages: (blocks: number, shape: PageShape) => KvPages
}[] = [
  { name: 'f32', pages: (blocks, s) => new Float32Array(blocks * s.kvHeads * s.blockTokens * s.headDim) },
  { name: 'bf16', pages: (blocks, s) => new Uint16Array(blocks * s.kvHeads * s.blockTokens * s.headDim) },
  { name: 'int8', pages: (blocks, s) => new Int8Array(blocks * s.kvHeads * s.blockTokens * (s.headDim + 4)) },
]

/** Rotary positions, attention for training, attention over pages. */
export const attentionCases: readonly Case[] = [
  ...[false, true].map((inverse): Case => ({
    name: `rotary${inverse ? ' back' : ''}, apart and in place`,
    slack: 1e-6,
    run(kernels, source, sizes) {
      const { heads: count, headDim } = heads(sizes)
      const positions = source.integers(sizes.m, 3000)
      const x = source.floats(sizes.m * count * headDim)
      const options = { heads: count, headDim, theta: 10_000, inverse }
      const [out, inPlace] = [source.floats(x.length), x.slice()]
      kernels.rotary(out, x, positions, options)
      kernels.rotary(inPlace, inPlace, positions, options)
      return [out, inPlace]
    },
  })),
  ...[false, true].map((causal): Case => ({
    name: `attention${causal ? ', causal,' : ''} and its gradient`,
    slack: 5e-6,
    run(kernels, source, sizes) {
      const shape = { ...heads(sizes), batch: 1 + (sizes.k % 2), length: sizes.m, causal }
      const tokens = shape.batch * shape.length
      const [query, key] = [tokens * shape.heads * shape.headDim, tokens * shape.kvHeads * shape.headDim]
      const [q, k, v, dOut] = [
        source.floats(query),
        source.floats(key),
        source.floats(key),
        source.floats(query),
      ]
      const [out, total] = [source.floats(query), source.floats(tokens * shape.heads)]
      kernels.attention(out, total, q, k, v, shape)
      const [dq, dk, dv] = [source.floats(query), source.floats(key), source.floats(key)]
      kernels.attentionBackward(dq, dk, dv, dOut, q, k, v, out, total, shape)
      return [out, total, dq, dk, dv]
    },
  })),
  ...pageFormats.map(({ name, pages }): Case => ({
    name: `pagedWrite and pagedAttention, ${name}`,
    // A weight of int8 that lies between two integers falls to either side: 2⁻¹⁵ of the largest in a span.
    slack: name === 'int8' ? 5e-5 : 2e-6,
    run(kernels, source, sizes) {
      const shape = { ...heads(sizes), blockTokens: 1 + (sizes.n % 7) }
      // Every other case reaches into a second span of 256 positions.
      const maxBlocks = 1 + (sizes.k % 5) + (sizes.k % 2) * Math.ceil(260 / shape.blockTokens)
      const [blocks, tables] = [maxBlocks + 3, 3]
      const width = shape.kvHeads * shape.headDim
      const [keyPages, valuePages] = [pages(blocks, shape), pages(blocks, shape)]
      // Distinct slots: two rows of one slot would leave the order to decide.
      const slots = Int32Array.from({ length: blocks * shape.blockTokens }, (_, i) => i).toReversed()
      kernels.pagedWrite(keyPages, source.floats(slots.length * width), slots, { ...shape, content: 'keys' })
      kernels.pagedWrite(valuePages, source.floats(slots.length * width), slots, {
        ...shape,
        content: 'values',
      })
      const q = source.floats(sizes.m * shape.heads * shape.headDim)
      const out = source.floats(q.length)
      kernels.pagedAttention(out, q, keyPages, valuePages, {
        ...shape,
        maxBlocks,
        sequences: source.integers(sizes.m, tables),
        positions: source.integers(sizes.m, maxBlocks * shape.blockTokens),
        blockTables: source.integers(tables * maxBlocks, blocks),
      })
      return [keyPages, valuePages, out]
    },
  })),
]
