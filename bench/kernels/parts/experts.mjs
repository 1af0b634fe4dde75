// Experts: rows of x through the experts that their router chose, multiplied in one call by their numbers, as the peers do.
import { random } from '../../lib/random.mjs'
import { threadCounts } from '../limits.mjs'
import { measure } from '../measure.mjs'

/** The shapes of three models: experts, chosen per token, width, width of an expert. */
const shapes = [
  { experts: 64, topK: 8, k: 2048, n: 1024 },
  { experts: 128, topK: 8, k: 2048, n: 768 },
  { experts: 8, topK: 2, k: 1024, n: 3584 },
]
/** Each call of a pass has another routing, so that one token's few experts are not in a cache when they come again. */
const routingsOf = (tokens) => (tokens === 1 ? 8 : tokens === 16 ? 2 : 1)

export async function expertsPart(bench) {
  const { kernels, noise, quick } = bench
  const rows = []
  for (const shape of quick ? [shapes[0]] : shapes)
    for (const dtype of quick ? ['int4'] : ['f32', 'bf16', 'int8', 'int4']) {
      const { experts, n, k } = shape
      const packed = kernels.pack(noise.take(2, experts * n * k), { dtype, experts, rows: n, columns: k })
      for (const tokens of quick ? [1, 16] : [1, 16, 512])
        for (const threads of quick || tokens > 1 ? [1] : threadCounts(kernels)) {
          const routed = (zipf) => product(bench, packed, { ...shape, tokens, zipf, threads })
          const uniform = await routed(false)
          rows.push(uniform)
          // One token's experts are equally many, however they are drawn.
          if (tokens > 1) rows.push(besideUniform(await routed(true), uniform))
        }
      packed.dispose()
    }
  return rows
}

/** Zipf routing may cost 1.15 times the time of uniform routing. */
function besideUniform(zipf, uniform) {
  const target = Math.min(zipf.target ?? Infinity, 1.15 * uniform.ours)
  return { ...zipf, target, met: zipf.ours <= target, timeOverUniform: zipf.ours / uniform.ours }
}

async function product(bench, packed, { experts, topK, n, k, tokens, zipf, threads }) {
  const { kernels, noise } = bench
  const { dtype } = packed
  const x = noise.take(1, tokens * k)
  const out = new Float32Array(tokens * topK * n)
  const routings = Array.from({ length: routingsOf(tokens) }, (_, seed) =>
    route({ tokens, experts, topK, zipf, seed }),
  )
  const plans = routings.map((routing) => dispatch(routing, experts))
  const touched = plans.reduce(
    (sum, { offsets }) => sum + offsets.filter((end, e) => e > 0 && end > offsets[e - 1]).length,
    0,
  )
  const settings = { tokens, n, k, experts, routings }
  const ggmlType = { f32: 'f32', bf16: 'bf16', int8: 'q8_0', int4: 'q4_0' }[dtype]
  const limit = tokens < 512 ? 'read' : dtype.startsWith('int') ? 'int8' : 'f32'
  return measure(bench, {
    subject: {
      kernel: `experts ${dtype}`,
      shape: `${experts}/${topK}/${k}/${n}, T = ${tokens}, ${zipf ? 'Zipf' : 'uniform'}`,
      threads,
    },
    ours: {
      run() {
        for (const { offsets, tokenOf: index } of plans)
          kernels.groupedMatmulPacked(out, x, packed, { offsets, index })
      },
      /** As the peers give it: [tokens, topK, n]. */
      get output() {
        const { slotOf } = plans.at(-1)
        const bySlot = new Float32Array(out.length)
        slotOf.forEach((slot, r) => bySlot.set(out.subarray(r * n, (r + 1) * n), slot * n))
        return bySlot
      },
    },
    peers: [
      ...(dtype === 'bf16' ? [] : [['ggml.experts', { ...settings, type: ggmlType }]]),
      ...(tokens <= 16 && (dtype === 'f32' || dtype === 'bf16')
        ? [['torch.experts', { ...settings, dtype }]]
        : []),
    ],
    unit: 'µs',
    layers: plans.length,
    bytes: (touched * packed.bytes) / experts,
    operations: 2 * tokens * topK * n * k * plans.length,
    limit,
    tolerance: { f32: 1e-5, bf16: 0.02, int8: 0.05, int4: 0.2 }[dtype],
    wants: {
      ...(tokens === 1 ? { ofLimit: 0.8 } : tokens === 512 && dtype === 'int8' ? { ofLimit: 0.55 } : {}),
      ratios: { ggml: 1.3, ...(tokens === 1 && dtype === 'bf16' ? { PyTorch: 3 } : {}) },
    },
  })
}

/** [tokens][topK] different experts each; by Zipf's law expert e is as likely as 1 / (e + 1). */
export function route({ tokens, experts, topK, zipf, seed }) {
  const next = random(7 + seed)
  const weights = Array.from({ length: experts }, (_, e) => (zipf ? 1 / (e + 1) : 1))
  return Array.from({ length: tokens }, () => {
    // The topK largest of u^(1/w) are a draw without replacement in proportion to w (Efraimidis and Spirakis 2006).
    const keys = weights.map((weight, e) => [next() ** (1 / weight), e])
    return keys
      .toSorted(([a], [b]) => b - a)
      .slice(0, topK)
      .map(([, e]) => e)
  })
}

/** Rows sorted by expert: their tokens, their slots (token · topK + rank), and where each expert begins. */
export function dispatch(routing, experts) {
  const topK = routing[0].length
  const rows = routing.flatMap((chosen, token) =>
    chosen.map((expert, rank) => ({ expert, token, slot: token * topK + rank })),
  )
  rows.sort((a, b) => a.expert - b.expert)
  const offsets = new Int32Array(experts + 1)
  for (const { expert } of rows) offsets[expert + 1]++
  for (let e = 0; e < experts; e++) offsets[e + 1] += offsets[e]
  return {
    offsets,
    tokenOf: Int32Array.from(rows, ({ token }) => token),
    slotOf: rows.map(({ slot }) => slot),
  }
}
