// int8 weights, one scale per row; activations quantized on the way (f32 in, f32 out).
import { threadCounts } from '../limits.mjs'
import { linearCase } from '../linear.mjs'

const dynamic = { dtype: 'int8' }

export async function int8Part(bench) {
  const rows = []
  for (const threads of bench.quick ? [1] : threadCounts(bench.kernels)) {
    rows.push(
      await linearCase(bench, {
        kernel: 'linear int8',
        shape: bench.quick ? { m: 128, n: 4096, k: 4096 } : { m: 512, n: 14336, k: 4096 },
        threads,
        pack: dynamic,
        limit: 'int8',
        peers: [
          ['torch.quantize_dynamic', {}],
          ['ggml.linear', { type: 'q8_0' }],
          ...(bench.quick ? [['torch.int_mm', {}]] : []),
        ],
        tolerance: 0.05,
        wants: { ofLimit: 0.75, ratios: { 'PyTorch quantize_dynamic': 1.15 } },
      }),
    )
  }
  if (!bench.quick)
    rows.push(
      await linearCase(bench, {
        kernel: 'linear int8',
        shape: { m: 64, n: 4096, k: 4096 },
        threads: 1,
        pack: dynamic,
        limit: 'int8',
        peers: [
          ['torch.quantize_dynamic', {}],
          ['torch.int_mm', {}],
          ['ggml.linear', { type: 'q8_0' }],
          ['onnx.matmul_nbits', { bits: 8, group: 128 }],
        ],
        tolerance: 0.05,
        wants: { ofLimit: 0.75, ratios: { 'PyTorch quantize_dynamic': 1.15 } },
      }),
    )
  for (const threads of bench.quick ? [1] : threadCounts(bench.kernels))
    rows.push(...(await decode(bench, threads)))
  return rows
}

/** Batches of 1 to 32 over the same cold layers; the rows per second against one row's stand in `rowsPerSecondGain`. */
async function decode(bench, threads) {
  const rows = []
  for (const m of bench.quick || threads > 1 ? [1, 16] : [1, 2, 4, 8, 16, 32]) {
    const entry = await linearCase(bench, {
      kernel: m === 1 ? 'decode int8' : 'batch int8',
      shape: { m, n: 4096, k: 4096 },
      threads,
      pack: dynamic,
      layers: bench.quick ? 8 : 26,
      limit: m < 8 ? 'read' : 'int8',
      unit: 'µs',
      peers: [
        ['ggml.linear', { type: 'q8_0' }],
        ...(m === 1
          ? [
              ['onnx.matmul_nbits', { bits: 8, group: 32 }],
              ['torch.quantize_dynamic', {}],
            ]
          : []),
      ],
      tolerance: 0.05,
      wants: m === 1 ? { ofLimit: 0.85, ratios: { 'ggml q8_0': 1.25 } } : undefined,
    })
    const one = rows[0] ?? entry
    const gain = (first, value) => (m * first) / value
    const peers = entry.peers.map((peer) => {
      const first = one.peers.find(({ name }) => name === peer.name)
      return first === undefined ? peer : { ...peer, rowsPerSecondGain: gain(first.value, peer.value) }
    })
    rows.push({ ...entry, peers, rowsPerSecondGain: gain(one.ours, entry.ours) })
  }
  return rows
}
