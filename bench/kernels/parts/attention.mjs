// Paged attention while decoding: one query token over a long cache whose pages lie shuffled, beside the same pages in order.
import { random } from '../../lib/random.mjs'
import { threadCounts } from '../limits.mjs'
import { coldLayers } from '../linear.mjs'
import { measure } from '../measure.mjs'

const blockTokens = 16
const shapes = [
  { heads: 32, kvHeads: 8, headDim: 128 },
  { heads: 8, kvHeads: 8, headDim: 64 },
]

/** PyTorch has no int8 attention: its bf16 stands beside ours. */
const formats = [
  { dtype: 'f32', Pages: Float32Array, scaleValues: 0, torch: 'f32', ggml: 'f16' },
  { dtype: 'bf16', Pages: Uint16Array, scaleValues: 0, torch: 'bf16', ggml: 'f16' },
  { dtype: 'int8', Pages: Int8Array, scaleValues: 4, torch: 'bf16', ggml: 'q8_0' },
]

export async function attentionPart(bench) {
  const rows = []
  for (const format of formats)
    for (const shape of bench.quick ? [shapes[0]] : shapes)
      for (const context of bench.quick ? [4096] : [1024, 4096, 32768])
        for (const threads of bench.quick || shape !== shapes[0] ? [1] : threadCounts(bench.kernels))
          rows.push(await decode(bench, { ...shape, context, threads, format }))
  return rows
}

async function decode(bench, { heads, kvHeads, headDim, context, threads, format }) {
  const { kernels, noise } = bench
  const { dtype, Pages, scaleValues, torch, ggml } = format
  const pageLength = context * kvHeads * (headDim + scaleValues)
  const bytes = 2 * pageLength * Pages.BYTES_PER_ELEMENT
  const layers = coldLayers(bytes)
  const blocks = context / blockTokens
  const page = { kvHeads, headDim, blockTokens }
  const shuffled = shuffle(blocks)
  const inOrder = Int32Array.from({ length: blocks }, (_, block) => block)
  const slots = Int32Array.from(
    { length: context },
    (_, position) => shuffled[Math.floor(position / blockTokens)] * blockTokens + (position % blockTokens),
  )
  const fill = (seed, content) => {
    const pages = new Pages(pageLength)
    kernels.pagedWrite(pages, noise.take(seed, context * kvHeads * headDim), slots, { ...page, content })
    return pages
  }
  const caches = Array.from({ length: layers }, (_, layer) => [
    fill(10 + layer, 'keys'),
    fill(5010 + layer, 'values'),
  ])
  const [q, out, other] = [
    noise.take(1, heads * headDim),
    new Float32Array(heads * headDim),
    new Float32Array(heads * headDim),
  ]
  const common = {
    ...page,
    heads,
    sequences: Int32Array.of(0),
    positions: Int32Array.of(context - 1),
    maxBlocks: blocks,
  }
  const over = (result, blockTables) => () => {
    for (const [keys, values] of caches)
      kernels.pagedAttention(result, q, keys, values, { ...common, blockTables })
  }
  const settings = { context, heads, kv_heads: kvHeads, head_dim: headDim, layers }
  const entry = await measure(bench, {
    subject: {
      kernel: `paged attention ${dtype}`,
      shape: `${heads}/${kvHeads}/${headDim}, context ${context}`,
      threads,
    },
    ours: { run: over(out, shuffled), output: out },
    // The same pages read in the order in which they lie: other numbers, the same work.
    against: { 'ours, in order': over(other, inOrder) },
    peers: [
      ['torch.attention', { ...settings, dtype: torch }],
      ['ggml.attention', { ...settings, type: ggml }],
    ],
    unit: 'µs',
    layers,
    bytes: bytes * layers,
    limit: 'read',
    // ggml keeps keys, values and their weighted sum in f16.
    tolerance: 0.03,
    wants: { ofLimit: 0.8, ratios: { PyTorch: 1.3, ggml: 1.3, 'ours, in order': 0.97 } },
  })
  return entry
}

function shuffle(length) {
  const next = random(3)
  const order = Int32Array.from({ length }, (_, index) => index)
  for (let last = length - 1; last > 0; last--) {
    const other = Math.floor(next() * (last + 1))
    ;[order[last], order[other]] = [order[other], order[last]]
  }
  return order
}
