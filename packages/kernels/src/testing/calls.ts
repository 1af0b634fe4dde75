import type { Kernels } from '../interface.js'
import { Source } from './source.js'

type Name = Exclude<
  { [K in keyof Kernels]: Kernels[K] extends (...args: never[]) => unknown ? K : never }[keyof Kernels],
  'setThreads' | 'probeReadBandwidth' | 'probePeak' | 'pack' | 'packZeros' | 'packSparse'
>

/** A kernel with arguments that it accepts; `inPlace` names the inputs that may be the first output itself. */
export interface Call {
  readonly name: Name
  readonly outputs: number
  readonly inPlace?: readonly number[]
  readonly args: readonly unknown[]
}

/** One valid call of every kernel with array arguments, on fresh arrays. */
export function calls(kernels: Kernels): readonly Call[] {
  const source = new Source(7)
  const f = (length: number): Float32Array => source.floats(length)
  const [m, n, k] = [3, 4, 32]
  const shape = { rows: m, columns: n }
  const norm = { ...shape, epsilon: 1e-5 }
  const offsets = Int32Array.of(0, 1, m)
  const ids = Int32Array.of(0, 3, 1)
  const heads = { heads: 2, kvHeads: 1, headDim: 4 }
  const attention = { ...heads, batch: 1, length: m, causal: true }
  const [query, key] = [m * 8, m * 4]
  const pages = { kvHeads: 1, headDim: 4, blockTokens: 2 }
  const paged = { ...heads, blockTokens: 2, maxBlocks: 2, positions: Int32Array.of(0, 3, 2) }
  const adam = { learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, step: 1 }
  const descent = { learningRate: 0.1, momentum: 0.9, weightDecay: 0 }
  const product = { rows: m, n, k }
  const groups = { rows: m, columns: k, groupSize: 32 }
  const pack = { dtype: 'int8', rows: n, columns: k } as const
  const [one, two] = [kernels.pack(f(n * k), pack), kernels.pack(f(2 * n * k), { ...pack, experts: 2 })]
  const sparse = kernels.packSparse(f(n * k), { rows: n, columns: k, format: '4x1' })
  return [
    { name: 'matmul', outputs: 1, args: [f(m * n), f(m * k), f(k * n), { m, n, k }] },
    {
      name: 'groupedMatmul',
      outputs: 1,
      args: [f(m * n), f(m * k), f(2 * n * k), { offsets, n, k, layout: 'nk' }],
    },
    {
      name: 'groupedWeightGradient',
      outputs: 1,
      args: [f(2 * n * k), f(m * n), f(m * k), { offsets, n, k }],
    },
    {
      name: 'swigluExperts',
      outputs: 3,
      args: [
        ...[m * n, 2 * m * k, m * k, m * n, 4 * n * k, 2 * n * k].map(f),
        { offsets, dim: n, hidden: k },
      ],
    },
    {
      name: 'swigluExpertsBackward',
      outputs: 4,
      args: [
        ...[m * n, 4 * n * k, 2 * n * k, 2 * m * k, m * n, m * n, 2 * m * k, m * k, 4 * n * k, 2 * n * k].map(
          f,
        ),
        { offsets, dim: n, hidden: k },
      ],
    },
    { name: 'squareAccumulate', outputs: 1, args: [f(n * k), f(m * n), f(m * k), { rows: m, n, k }] },
    { name: 'unpack', outputs: 1, args: [f(n * k), one] },
    { name: 'setBlocks', outputs: 0, args: [one, Int32Array.of(2, 0), new Uint8Array(2 * 18), 'q4_0'] },
    { name: 'dequantizeBlocks', outputs: 1, args: [f(2 * 32), new Uint8Array(2 * 18), 'q4_0'] },
    { name: 'matmulPacked', outputs: 1, args: [f(m * n), f(m * k), one, { m, bias: f(n) }] },
    { name: 'groupedMatmulPacked', outputs: 1, args: [f(m * n), f(4 * k), two, { offsets, index: ids }] },
    { name: 'sparseMatmul', outputs: 1, args: [f(m * n), f(m * k), sparse, { m, bias: f(n) }] },
    { name: 'gatherRows', outputs: 1, args: [f(3 * n), f(4 * n), ids, { columns: n }] },
    { name: 'scatterAddRows', outputs: 1, args: [f(4 * n), f(3 * n), ids, { columns: n, scales: f(3) }] },
    {
      name: 'scatterAddRowsBackward',
      outputs: 2,
      args: [f(3 * n), f(3), f(4 * n), f(3 * n), ids, { columns: n, scales: f(3) }],
    },
    { name: 'sumRows', outputs: 1, args: [f(n), f(m * n), shape] },
    { name: 'rmsNorm', outputs: 2, args: [f(m * n), f(m), f(m * n), f(n), norm] },
    { name: 'rmsNormBackward', outputs: 2, args: [f(m * n), f(n), f(m * n), f(m * n), f(n), f(m), shape] },
    { name: 'layerNorm', outputs: 3, args: [f(m * n), f(m), f(m), f(m * n), f(n), f(n), norm] },
    {
      name: 'layerNormBackward',
      outputs: 3,
      args: [f(m * n), f(n), f(n), f(m * n), f(m * n), f(n), f(m), f(m), shape],
    },
    { name: 'softmax', outputs: 1, inPlace: [1], args: [f(m * n), f(m * n), shape] },
    { name: 'softmaxBackward', outputs: 1, inPlace: [1], args: [f(m * n), f(m * n), f(m * n), shape] },
    { name: 'crossEntropy', outputs: 2, args: [f(m), f(m), f(m * n), ids, shape] },
    {
      name: 'crossEntropyBackward',
      outputs: 1,
      inPlace: [2],
      args: [f(m * n), f(m), f(m * n), f(m), ids, shape],
    },
    { name: 'activate', outputs: 1, inPlace: [1], args: [f(n), f(n), 'gelu'] },
    { name: 'activateBackward', outputs: 1, inPlace: [1], args: [f(n), f(n), f(n), 'silu'] },
    { name: 'swiglu', outputs: 1, args: [f(m * n), f(2 * m * n), { rows: m, hidden: n }] },
    {
      name: 'swigluBackward',
      outputs: 1,
      args: [f(2 * m * n), f(m * n), f(2 * m * n), { rows: m, hidden: n }],
    },
    { name: 'add', outputs: 1, inPlace: [1, 2], args: [f(n), f(n), f(n)] },
    { name: 'multiply', outputs: 1, inPlace: [1, 2], args: [f(n), f(n), f(n)] },
    { name: 'scale', outputs: 1, inPlace: [1], args: [f(n), f(n), 2] },
    { name: 'addScaled', outputs: 1, inPlace: [1], args: [f(n), f(n), 2] },
    { name: 'sum', outputs: 0, args: [f(n)] },
    { name: 'sumOfSquares', outputs: 0, args: [f(n)] },
    { name: 'toBf16', outputs: 1, args: [new Uint16Array(n), f(n)] },
    { name: 'fromBf16', outputs: 1, args: [f(n), new Uint16Array(n)] },
    {
      name: 'rotary',
      outputs: 1,
      inPlace: [1],
      args: [f(3 * 8), f(3 * 8), ids, { heads: 2, headDim: 4, theta: 1e4 }],
    },
    { name: 'attention', outputs: 2, args: [f(query), f(m * 2), f(query), f(key), f(key), attention] },
    {
      name: 'attentionBackward',
      outputs: 3,
      args: [
        ...[query, key, key, query, query, key, key, query, m * 2].map((length) => f(length)),
        attention,
      ],
    },
    { name: 'pagedWrite', outputs: 1, args: [f(2 * 8), f(3 * 4), ids, { ...pages, content: 'keys' }] },
    {
      name: 'pagedAttention',
      outputs: 1,
      args: [
        f(query),
        f(query),
        f(4 * 8),
        f(4 * 8),
        { ...paged, sequences: Int32Array.of(0, 1, 0), blockTables: Int32Array.of(3, 0, 1, 2) },
      ],
    },
    { name: 'adamW', outputs: 1, args: [f(n), f(n), f(n), f(n).map(Math.abs), adam] },
    {
      name: 'adamWByProduct',
      outputs: 1,
      args: [f(n * k), f(m * n), f(m * k), f(n * k), f(n * k).map(Math.abs), { ...adam, ...product }],
    },
    { name: 'sgd', outputs: 1, args: [f(n), f(n), f(n), descent] },
    {
      name: 'sgdByProduct',
      outputs: 1,
      args: [f(n * k), f(m * n), f(m * k), f(n * k), { ...descent, ...product }],
    },
    { name: 'quantizeInt8', outputs: 2, args: [new Int8Array(m * n), f(m), f(m * n), shape] },
    { name: 'dequantizeInt8', outputs: 1, args: [f(m * n), new Int8Array(m * n), f(m), shape] },
    { name: 'quantizeInt4', outputs: 2, args: [new Uint8Array((m * k) / 2), f(m), f(m * k), groups] },
    { name: 'dequantizeInt4', outputs: 1, args: [f(m * k), new Uint8Array((m * k) / 2), f(m), groups] },
  ]
}
