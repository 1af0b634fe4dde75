// The case of most parts: rows of x through packed weights of distinct layers, too many for any cache.
import { measure } from './measure.mjs'

const coldBytes = 420e6

/** Distinct layers that make more than 400 MB together: none is in a cache when its turn comes again. */
export function coldLayers(bytesPerLayer) {
  return Math.ceil(coldBytes / bytesPerLayer)
}

/**
 * x [m, k] through layers of weights [n, k], packed as `pack` says. Few rows (m < 8) are bound by reading: cold layers, µs per layer.
 * `layers` overrides how many there are; `peers` are [name, settings beyond the shape].
 */
export async function linearCase(
  bench,
  { kernel, shape: { m, n, k }, threads, pack, limit, layers, peers, tolerance, wants, unit },
) {
  const { kernels, noise } = bench
  const [x, out] = [noise.take(1, m * k), new Float32Array(m * n)]
  const first = packLayer(bench, 0, { n, k, pack })
  const count = layers ?? (m < 8 ? coldLayers(first.bytes) : 1)
  const matrices = [first]
  while (matrices.length < count) matrices.push(packLayer(bench, matrices.length, { n, k, pack }))
  const entry = await measure(bench, {
    subject: { kernel, shape: `${m}×${n}×${k}`, threads },
    ours: {
      run: () => matrices.forEach((matrix) => kernels.matmulPacked(out, x, matrix, { m })),
      output: out,
    },
    peers: peers.map(([name, settings]) => [name, { m, n, k, layers: count, ...settings }]),
    unit: unit ?? (m < 8 ? 'µs' : 'Gop/s'),
    layers: count,
    bytes: first.bytes * count,
    operations: 2 * m * n * k * count,
    limit,
    tolerance,
    wants,
    notes: { distinctLayers: count, bitsPerWeight: (8 * first.bytes) / (n * k) },
  })
  for (const matrix of matrices) matrix.dispose()
  return entry
}

function packLayer({ kernels, noise }, layer, { n, k, pack }) {
  return kernels.pack(noise.take(10 + layer, n * k), { ...pack, rows: n, columns: k })
}
