// Sparse weights: each format on zeros of its own shape, beside our own dense product and the automatic choice.
import { measure } from '../measure.mjs'

const formats = { csr: 1, '4x1': 4, '16x1': 16 }

export async function sparsePart(bench) {
  const rows = []
  for (const [format, block] of Object.entries(formats))
    for (const zeros of bench.quick ? [0.8] : [0, 0.5, 0.8, 0.9, 0.98])
      for (const m of bench.quick ? [1, 64] : [1, 64, 512]) {
        if (m === 512 && zeros !== 0.8 && zeros !== 0.98) continue
        rows.push(await product(bench, { format, block, zeros, m }))
      }
  rows.push(...(await automatic(bench)))
  return rows
}

/** The automatic choice against dense weights, which it must not lose to by more than 3 %. */
async function automatic(bench) {
  const { kernels, noise } = bench
  const shapes = bench.quick
    ? [[1024, 1024]]
    : [
        [1024, 1024],
        [4096, 1024],
        [4096, 4096],
      ]
  const rows = []
  for (const [n, k] of shapes)
    for (const block of Object.values(formats))
      for (const zeros of bench.quick ? [0.5, 0.9] : [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98]) {
        const weights = pruned(noise, { layer: 0, n, k, block, zeros })
        const dense = kernels.packSparse(weights, { rows: n, columns: k, format: 'dense' })
        for (const m of [1, 64, 512]) {
          if (m * n * k > 4e9 && zeros !== 0.5 && zeros !== 0.8) continue
          const chosen = kernels.packSparse(weights, { rows: n, columns: k, format: 'auto', batch: m })
          const [x, out] = [noise.take(1, m * k), new Float32Array(m * n)]
          const by = (matrix) => () => kernels.sparseMatmul(out, x, matrix, { m })
          const entry = await measure(bench, {
            subject: {
              kernel: 'sparse auto',
              shape: `${m}×${n}×${k}, ${100 * zeros} % zeros in ${block}×1`,
              threads: 1,
            },
            ours: { run: by(chosen) },
            against: { 'ours, dense': by(dense) },
            unit: 'µs',
            wants: { ratios: { 'ours, dense': 1 / 1.03 } },
            notes: { chosen: chosen.format },
          })
          rows.push({ ...entry, autoOverDense: entry.ours / entry.peers[0].value })
          chosen.dispose()
        }
        dense.dispose()
      }
  return rows
}

async function product(bench, { format, block, zeros, m }) {
  const { kernels, noise } = bench
  // One row meets several layers, colder than any cache; more rows meet one, for they are bound by arithmetic.
  const [size, layers] = m === 1 ? [4096, 4] : [2048, 1]
  const shape = { rows: size, columns: size }
  const weights = Array.from({ length: layers }, (_, layer) =>
    pruned(noise, { layer, n: size, k: size, block, zeros }),
  )
  const pack = (chosen) =>
    weights.map((weight) =>
      kernels.packSparse(weight, { ...shape, format: chosen, ...(chosen === 'auto' ? { batch: m } : {}) }),
    )
  const [sparse, auto] = [pack(format), pack('auto')]
  const dense = weights.map((weight) => kernels.pack(weight, { ...shape, dtype: 'f32' }))
  const [x, out] = [noise.take(1, m * size), new Float32Array(m * size)]
  const by = (matrices) => () => matrices.forEach((matrix) => kernels.sparseMatmul(out, x, matrix, { m }))
  const entry = await measure(bench, {
    subject: {
      kernel: `sparse ${format}`,
      shape: `${m}×${size}×${size}, ${100 * zeros} % zeros`,
      threads: 1,
    },
    ours: { run: by(sparse), output: out },
    against: {
      'ours, dense': () => dense.forEach((matrix) => kernels.matmulPacked(out, x, matrix, { m })),
      'ours, auto': by(auto),
    },
    peers: [['torch.sparse_csr', { m, n: size, k: size, layers, zeros, block }]],
    unit: 'µs',
    layers,
    tolerance: 1e-5,
    wants: { ratios: { PyTorch: 1, ...(format === '4x1' && zeros === 0.8 ? { 'ours, dense': 2.5 } : {}) } },
    notes: { chosen: auto[0].format },
  })
  for (const matrix of [...sparse, ...auto, ...dense]) matrix.dispose()
  const value = (name) => entry.peers.find((peer) => peer.name === name).value
  return { ...entry, autoOverDense: value('ours, auto') / value('ours, dense') }
}

/** Weights [n, k] of which whole blocks of `block` rows in a column are 0, each with the probability `zeros`. */
function pruned(noise, { layer, n, k, block, zeros }) {
  const weights = noise.take(10 + layer, n * k)
  const keep = noise.take(500 + layer, (n / block) * k)
  for (let r = 0; r < n; r++)
    for (let c = 0; c < k; c++)
      if (keep[Math.floor(r / block) * k + c] * 0.5 + 0.5 < zeros) weights[r * k + c] = 0
  return weights
}
