// f32 and bf16 products: squares, tall, thin, and few rows through cold weights.
import { threadCounts } from '../limits.mjs'
import { coldLayers, linearCase } from '../linear.mjs'
import { measure } from '../measure.mjs'

const squares = [256, 512, 1024, 2048]
/** [m, n, k]: tall, thin, long sums, and a step of the tour's training. */
const oblong = [
  [16384, 64, 256],
  [64, 8192, 256],
  [128, 128, 8192],
  [128, 400, 784],
]
const fewRows = [1, 2, 4, 8, 16, 32, 64]

export async function gemmPart(bench) {
  const rows = []
  for (const [m, n, k] of [...squares.map((size) => [size, size, size]), ...oblong]) {
    for (const threads of bench.quick ? [1] : threadCounts(bench.kernels)) {
      if (bench.quick && (m > 1024 || n > 1024)) continue
      rows.push(await square(bench, { m, n, k, threads }))
    }
  }
  for (const m of bench.quick ? [1, 16] : fewRows)
    for (const threads of bench.quick || m % 16 !== 1 ? [1] : threadCounts(bench.kernels))
      rows.push(await few(bench, { m, threads }))
  for (const m of bench.quick ? [1] : [1, 16, 512]) rows.push(await bf16(bench, { m, threads: 1 }))
  return rows
}

function square(bench, { m, n, k, threads }) {
  const [a, b, out] = [bench.noise.take(1, m * k), bench.noise.take(2, k * n), new Float32Array(m * n)]
  const shape = { m, n, k }
  return measure(bench, {
    subject: { kernel: 'matmul f32', shape: `${m}×${n}×${k}`, threads },
    ours: { run: () => bench.kernels.matmul(out, a, b, shape), output: out },
    peers: [
      ['torch.matmul', { ...shape, dtype: 'f32' }],
      ['numpy.matmul', shape],
    ],
    unit: 'Gop/s',
    operations: 2 * m * n * k,
    limit: 'f32',
    tolerance: 1e-5,
    // Ahead of the peers by 1.8 is asked where they leave half of AVX-512 unused; here none may be faster.
    wants: { ...(m === n && m >= 512 ? { ofLimit: 0.85 } : {}), ratios: { PyTorch: 1, numpy: 1 } },
  })
}

/** x [m, 4096] through eight f32 layers, unpacked as the peers hold them; and, as a contender of our own, packed once. */
async function few(bench, { m, threads }) {
  const [n, k] = [4096, 4096]
  const layers = coldLayers(4 * n * k)
  const { kernels, noise } = bench
  const [x, out] = [noise.take(1, m * k), new Float32Array(m * n)]
  const weights = Array.from({ length: layers }, (_, layer) => noise.take(10 + layer, n * k))
  const packed = weights.map((weight) => kernels.pack(weight, { dtype: 'f32', rows: n, columns: k }))
  const options = { m, n, k, transposeB: true }
  const settings = { m, n, k, layers }
  const entry = await measure(bench, {
    subject: { kernel: 'linear f32', shape: `${m}×${n}×${k}`, threads },
    ours: { run: () => weights.forEach((weight) => kernels.matmul(out, x, weight, options)), output: out },
    against: {
      'ours, packed': () => packed.forEach((matrix) => kernels.matmulPacked(out, x, matrix, { m })),
    },
    peers: [
      ['torch.linear', { ...settings, dtype: 'f32' }],
      ['torch.linear_onednn', { ...settings, dtype: 'f32' }],
      ['numpy.linear', settings],
    ],
    unit: 'µs',
    layers,
    bytes: 4 * n * k * layers,
    operations: 2 * m * n * k * layers,
    limit: m < 8 ? 'read' : 'f32',
    tolerance: 1e-5,
    wants: { ratios: { PyTorch: 1, numpy: 1 } },
  })
  packed.forEach((matrix) => matrix.dispose())
  return entry
}

/** Where `vdpbf16ps` makes fewer products a second than f32 has, or is lacking, the limit is that of f32: bf16 is widened and summed there. */
function bf16(bench, { m, threads }) {
  const native = bench.kernels.probePeak('bf16', { threads }) > bench.kernels.probePeak('f32', { threads })
  return linearCase(bench, {
    kernel: 'linear bf16',
    shape: { m, n: 4096, k: 4096 },
    threads,
    pack: { dtype: 'bf16' },
    limit: m < 8 ? 'read' : native ? 'bf16' : 'f32',
    peers: ['torch.linear', 'torch.linear_onednn'].map((name) => [name, { dtype: 'bf16' }]),
    tolerance: 0.02,
    wants: { ...(m < 8 ? {} : { ofLimit: 0.85 }), ratios: { 'PyTorch oneDNN': 0.97 } },
  })
}
