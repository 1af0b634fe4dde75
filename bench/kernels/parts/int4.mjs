// int4 weights in groups: one token through cold layers, and prompts of 64 to 512 tokens.
import { threadCounts } from '../limits.mjs'
import { linearCase } from '../linear.mjs'

export async function int4Part(bench) {
  const rows = []
  const threads = bench.quick ? [1] : threadCounts(bench.kernels)
  for (const count of threads) rows.push(await decode(bench, count))
  for (const group of [32, 128])
    for (const m of bench.quick ? [64] : [64, 128, 512])
      for (const count of m === 512 ? threads : [1])
        rows.push(await prefill(bench, { m, group, threads: count }))
  return rows
}

const peers = (group) => [
  ...(group === 32 ? [['ggml.linear', { type: 'q4_0' }]] : []),
  ['onnx.matmul_nbits', { bits: 4, group }],
]

function decode(bench, threads) {
  return linearCase(bench, {
    kernel: 'decode int4, groups of 32',
    shape: { m: 1, n: 4096, k: 4096 },
    threads,
    pack: { dtype: 'int4', groupSize: 32 },
    layers: bench.quick ? 12 : 48,
    limit: 'read',
    peers: peers(32),
    tolerance: 0.2,
    wants: { ofLimit: 0.88, ratios: { 'ggml q4_0': 1.35, onnxruntime: 1.3 } },
  })
}

function prefill(bench, { m, group, threads }) {
  return linearCase(bench, {
    kernel: `prefill int4, groups of ${group}`,
    shape: { m, n: 4096, k: 4096 },
    threads,
    pack: { dtype: 'int4', groupSize: group },
    limit: 'int8',
    peers: peers(group),
    tolerance: 0.2,
    wants: { ofLimit: group === 32 ? 0.42 : 0.55, ratios: { 'ggml q4_0': 1.6, onnxruntime: 1.2 } },
  })
}
