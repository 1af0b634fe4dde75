import type { Activation, Kernels } from '../interface.js'
import type { Sizes, Source } from './source.js'

/** One kernel on arguments drawn from a source: what it wrote or returned. */
export interface Case {
  readonly name: string
  /** Added to the tolerance, for approximations of elementary functions. */
  readonly slack?: number
  readonly run: (kernels: Kernels, source: Source, sizes: Sizes) => readonly ArrayLike<number>[]
}

const activations: readonly Activation[] = ['relu', 'gelu', 'gelu-tanh', 'silu', 'sigmoid', 'tanh']

/** Calls `kernel` with outputs of the given lengths and returns them; they begin as the same noise for every backend. */
function outputs(
  source: Source,
  lengths: readonly number[],
  kernel: (...out: Float32Array[]) => void,
): Float32Array[] {
  const out = lengths.map((length) => source.floats(length))
  kernel(...out)
  return out
}

const matrix: readonly Case[] = [
  ...[false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) =>
      [false, true].map((accumulate) => ({
        name: `matmul ${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}${accumulate ? ' accumulating' : ''}`,
        run: (kernels: Kernels, source: Source, { m, n, k }: Sizes) => {
          const [a, b] = [source.floats(m * k), source.floats(k * n)]
          return outputs(source, [m * n], (out) =>
            kernels.matmul(out!, a, b, { m, n, k, transposeA, transposeB, accumulate }),
          )
        },
      })),
    ),
  ),
  ...[false, true].map((transposeA) => ({
    name: `matmul ${transposeA ? 't' : 'n'}t, zeros of a left out`,
    run: (kernels: Kernels, source: Source, { m, n, k }: Sizes) => {
      const density = source.next()
      const a = source.floats(m * k).map((value) => (source.next() < density ? value : 0))
      const b = source.floats(k * n)
      return outputs(source, [m * n], (out) =>
        kernels.matmul(out!, a, b, { m, n, k, transposeA, transposeB: true, skipZeros: true }),
      )
    },
  })),
  ...(['nk', 'kn'] as const).map((layout) => ({
    name: `groupedMatmul ${layout}`,
    run: (kernels: Kernels, source: Source, { m, n, k }: Sizes) => {
      const { offsets, experts } = source.offsets(m)
      const [x, weights] = [source.floats(m * k), source.floats(experts * n * k)]
      return outputs(source, [m * n], (out) =>
        kernels.groupedMatmul(out!, x, weights, { offsets, n, k, layout }),
      )
    },
  })),
  {
    name: 'groupedWeightGradient',
    run(kernels, source, { m, n, k }) {
      const { offsets, experts } = source.offsets(m)
      const [dy, x] = [source.floats(m * n), source.floats(m * k)]
      return outputs(source, [experts * n * k], (out) =>
        kernels.groupedWeightGradient(out!, dy, x, { offsets, n, k }),
      )
    },
  },
  {
    name: 'swigluExperts and its gradients',
    run(kernels, source, { m: rows, n: dim, k: hidden }) {
      const { offsets, experts } = source.offsets(rows)
      const shape = { offsets, dim, hidden }
      const [x, dy] = [source.floats(rows * dim), source.floats(rows * dim)]
      const [gateUpWeights, downWeights] = [
        source.floats(experts * 2 * hidden * dim),
        source.floats(experts * dim * hidden),
      ]
      const forward = outputs(source, [rows * dim, rows * 2 * hidden, rows * hidden], (out, gateUp, inner) =>
        kernels.swigluExperts(out!, gateUp!, inner!, x, gateUpWeights, downWeights, shape),
      )
      const [, gateUp, inner] = forward
      const backward = outputs(
        source,
        [rows * dim, gateUpWeights.length, downWeights.length, rows * 2 * hidden],
        (dx, dGateUpWeights, dDownWeights, dGateUp) =>
          kernels.swigluExpertsBackward(
            dx,
            dGateUpWeights,
            dDownWeights,
            dGateUp!,
            dy,
            x,
            gateUp!,
            inner!,
            gateUpWeights,
            downWeights,
            shape,
          ),
      )
      return [...forward, ...backward]
    },
  },
  {
    name: 'squareAccumulate',
    run(kernels, source, { m: rows, n, k }) {
      const [dy, x] = [source.floats(rows * n), source.floats(rows * k)]
      return outputs(source, [n * k], (out) => kernels.squareAccumulate(out!, dy, x, { rows, n, k }))
    },
  },
  ...(['f32', 'bf16', 'int8'] as const).map((dtype) => ({
    name: `pack, unpack, matmulPacked and groupedMatmulPacked ${dtype}`,
    run: (kernels: Kernels, source: Source, { m, n, k }: Sizes) =>
      packed(kernels, source, { m, n, k, dtype }),
  })),
  ...(['auto', 'dense', 'csr', '4x1', '16x1'] as const).map((format): Case => ({
    name: `packSparse and sparseMatmul ${format}`,
    run(kernels, source, { m, n, k }) {
      const [x, bias, density] = [source.floats(m * k), source.floats(n), source.next()]
      const weights = source.floats(n * k).map((weight) => (source.next() < density ? weight : 0))
      using sparse = kernels.packSparse(weights, { rows: n, columns: k, format })
      return outputs(source, [m * n], (out) => kernels.sparseMatmul(out!, x, sparse, { m, bias }))
    },
  })),
  ...([32, 128] as const).map((groupSize) => ({
    name: `pack, unpack, matmulPacked and groupedMatmulPacked int4 in groups of ${groupSize}`,
    run: (kernels: Kernels, source: Source, { m, n, k }: Sizes) =>
      packed(kernels, source, { m, n, k: groupSize * (1 + (k % 3)), dtype: 'int4', groupSize }),
  })),
]

function packed(
  kernels: Kernels,
  source: Source,
  { m, n, k, ...format }: Sizes & { dtype: 'f32' | 'bf16' | 'int8' | 'int4'; groupSize?: 32 | 128 },
): Float32Array[] {
  const { offsets, experts } = source.offsets(m)
  const [x, weights, bias] = [source.floats(m * k), source.floats(experts * n * k), source.floats(n)]
  const index = source.integers(m, m)
  using one = kernels.pack(weights.subarray(0, n * k), { ...format, rows: n, columns: k })
  using all = kernels.pack(weights, { ...format, rows: n, columns: k, experts })
  return [
    Float32Array.of(one.bytes, all.bytes),
    ...outputs(source, [experts * n * k], (out) => kernels.unpack(out!, all)),
    ...outputs(source, [m * n], (out) => kernels.matmulPacked(out!, x, one, { m, bias })),
    ...outputs(source, [m * n], (out) => kernels.groupedMatmulPacked(out!, x, all, { offsets })),
    ...outputs(source, [m * n], (out) => kernels.groupedMatmulPacked(out!, x, all, { offsets, index })),
  ]
}

const rows: readonly Case[] = [
  {
    name: 'gatherRows',
    run(kernels, source, { m, n, k: columns }) {
      const [table, index] = [source.floats(n * columns), source.integers(m, n)]
      return outputs(source, [m * columns], (out) => kernels.gatherRows(out!, table, index, { columns }))
    },
  },
  {
    name: 'scatterAddRows',
    run(kernels, source, { m, n, k: columns }) {
      const [x, index, scales] = [source.floats(m * columns), source.integers(m, n), source.floats(m)]
      return [
        ...outputs(source, [n * columns], (out) => kernels.scatterAddRows(out!, x, index, { columns })),
        ...outputs(source, [n * columns], (out) =>
          kernels.scatterAddRows(out!, x, index, { columns, scales }),
        ),
      ]
    },
  },
  {
    name: 'scatterAddRowsBackward',
    run(kernels, source, { m, n, k: columns }) {
      const [dy, x, scales] = [source.floats(n * columns), source.floats(m * columns), source.floats(m)]
      const index = source.integers(m, n)
      return outputs(source, [m * columns, m], (dx, dScales) =>
        kernels.scatterAddRowsBackward(dx!, dScales!, dy, x, index, { columns, scales }),
      )
    },
  },
  {
    name: 'sumRows',
    run(kernels, source, { m: count, k: columns }) {
      const x = source.floats(count * columns)
      return outputs(source, [columns], (out) => kernels.sumRows(out!, x, { rows: count, columns }))
    },
  },
  {
    name: 'rmsNorm and its gradient',
    run(kernels, source, { m: count, k: columns }) {
      const shape = { rows: count, columns }
      const [x, weight, dy] = [
        source.floats(count * columns),
        source.floats(columns),
        source.floats(count * columns),
      ]
      const [out, inverse] = outputs(source, [count * columns, count], (y, scale) =>
        kernels.rmsNorm(y!, scale!, x, weight, { ...shape, epsilon: 1e-5 }),
      )
      const back = outputs(source, [count * columns, columns], (dx, dWeight) =>
        kernels.rmsNormBackward(dx!, dWeight!, dy, x, weight, inverse!, shape),
      )
      return [out!, inverse!, ...back]
    },
  },
  {
    name: 'layerNorm and its gradient',
    // A row of one or two values has hardly any variance to divide by.
    slack: 1e-3,
    run(kernels, source, { m: count, k }) {
      const columns = k + 2
      const shape = { rows: count, columns }
      const [x, dy] = [source.floats(count * columns), source.floats(count * columns)]
      const [weight, bias] = [source.floats(columns), source.floats(columns)]
      const [out, mean, inverse] = outputs(source, [count * columns, count, count], (y, centre, scale) =>
        kernels.layerNorm(y!, centre!, scale!, x, weight, bias, { ...shape, epsilon: 0.1 }),
      )
      const back = outputs(source, [count * columns, columns, columns], (dx, dWeight, dBias) =>
        kernels.layerNormBackward(dx!, dWeight!, dBias!, dy, x, weight, mean!, inverse!, shape),
      )
      return [out!, mean!, inverse!, ...back]
    },
  },
  {
    name: 'softmax and its gradient, apart and in place',
    slack: 1e-6,
    run(kernels, source, { m: count, k: columns }) {
      const shape = { rows: count, columns }
      const [x, dy] = [source.floats(count * columns), source.floats(count * columns)]
      const [y] = outputs(source, [count * columns], (out) => kernels.softmax(out!, x, shape))
      const [dx] = outputs(source, [count * columns], (out) => kernels.softmaxBackward(out!, dy, y!, shape))
      const [inPlace, gradientInPlace] = [x.slice(), dy.slice()]
      kernels.softmax(inPlace, inPlace, shape)
      kernels.softmaxBackward(gradientInPlace, gradientInPlace, y!, shape)
      return [y!, dx!, inPlace, gradientInPlace]
    },
  },
  {
    name: 'crossEntropy and its gradient, apart and in place',
    slack: 2e-6,
    run(kernels, source, { m: count, k: columns }) {
      const shape = { rows: count, columns }
      const logits = source.floats(count * columns)
      const targets = source.integers(count, columns).map((target, row) => (row % 5 === 4 ? -100 : target))
      const [loss, total] = outputs(source, [count, count], (a, b) =>
        kernels.crossEntropy(a!, b!, logits, targets, shape),
      )
      const dLoss = source.floats(count)
      const [gradient] = outputs(source, [count * columns], (out) =>
        kernels.crossEntropyBackward(out!, dLoss, logits, total!, targets, shape),
      )
      const inPlace = logits.slice()
      kernels.crossEntropyBackward(inPlace, dLoss, inPlace, total!, targets, shape)
      return [loss!, total!, gradient!, inPlace]
    },
  },
]

const elementwise: readonly Case[] = [
  ...activations.map((kind) => ({
    name: `activate ${kind} and its gradient, apart and in place`,
    slack: 3e-6,
    run: (kernels: Kernels, source: Source, { m, k }: Sizes) => {
      const [x, dy] = [source.floats(m * k, 6), source.floats(m * k)]
      const [y] = outputs(source, [m * k], (out) => kernels.activate(out!, x, kind))
      const [dx] = outputs(source, [m * k], (out) => kernels.activateBackward(out!, dy, x, kind))
      const [inPlace, gradientInPlace] = [x.slice(), dy.slice()]
      kernels.activate(inPlace, inPlace, kind)
      kernels.activateBackward(gradientInPlace, gradientInPlace, x, kind)
      return [y!, dx!, inPlace, gradientInPlace]
    },
  })),
  {
    name: 'swiglu and its gradient',
    slack: 2e-6,
    run(kernels, source, { m: count, k: hidden }) {
      const [gateUp, dy] = [source.floats(2 * count * hidden, 3), source.floats(count * hidden)]
      const shape = { rows: count, hidden }
      return [
        ...outputs(source, [count * hidden], (out) => kernels.swiglu(out!, gateUp, shape)),
        ...outputs(source, [2 * count * hidden], (out) => kernels.swigluBackward(out!, dy, gateUp, shape)),
      ]
    },
  },
  {
    name: 'add, multiply, scale and addScaled, apart and in place',
    run(kernels, source, { m, k }) {
      const size = m * k
      const [a, b] = [source.floats(size), source.floats(size)]
      const inPlace = (work: (out: Float32Array) => void): Float32Array => {
        const out = a.slice()
        work(out)
        return out
      }
      return [
        ...outputs(source, [size], (out) => kernels.add(out!, a, b)),
        ...outputs(source, [size], (out) => kernels.multiply(out!, a, b)),
        ...outputs(source, [size], (out) => kernels.scale(out!, a, 0.3)),
        ...outputs(source, [size], (out) => kernels.addScaled(out!, a, 0.3)),
        inPlace((out) => kernels.add(out, out, b)),
        inPlace((out) => kernels.add(out, b, out)),
        inPlace((out) => kernels.add(out, out, out)),
        inPlace((out) => kernels.multiply(out, out, b)),
        inPlace((out) => kernels.multiply(out, b, out)),
        inPlace((out) => kernels.multiply(out, out, out)),
        inPlace((out) => kernels.scale(out, out, -2)),
        inPlace((out) => kernels.addScaled(out, out, 0.5)),
      ]
    },
  },
  {
    name: 'sum and sumOfSquares',
    run: (kernels, source, { m, k }) => {
      const x = source.floats(m * k)
      return [[kernels.sum(x), kernels.sumOfSquares(x)]]
    },
  },
  {
    name: 'toBf16 and fromBf16',
    run(kernels, source, { m, k }) {
      const x = source.floats(m * k, 1e4)
      const half = new Uint16Array(m * k)
      kernels.toBf16(half, x)
      return [half, ...outputs(source, [m * k], (out) => kernels.fromBf16(out!, half))]
    },
  },
  {
    name: 'adamW',
    run(kernels, source, { m, k }) {
      const [gradient, second] = [source.floats(m * k), source.floats(m * k).map(Math.abs)]
      const options = {
        learningRate: 1e-2,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0.1,
        step: 1 + (m % 5),
      }
      const out = outputs(source, [m * k, m * k], (parameter, first) =>
        kernels.adamW(parameter!, gradient, first!, second, options),
      )
      return [...out, second]
    },
  },
  {
    name: 'adamWByProduct and sgdByProduct',
    run(kernels, source, { m, n, k }) {
      const [dy, x] = [source.floats(m * n), source.floats(m * k)]
      const second = source.floats(n * k).map(Math.abs)
      const shape = { rows: m, n, k, learningRate: 1e-2, weightDecay: 0.1 }
      const adam = { ...shape, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1 + (m % 5) }
      const out = outputs(source, [n * k, n * k], (parameter, first) =>
        kernels.adamWByProduct(parameter!, dy, x, first!, second, adam),
      )
      const heavy = outputs(source, [n * k, n * k], (parameter, velocity) =>
        kernels.sgdByProduct(parameter!, dy, x, velocity, { ...shape, momentum: 0.9, nesterov: true }),
      )
      const plain = outputs(source, [n * k], (parameter) =>
        kernels.sgdByProduct(parameter!, dy, x, undefined, { ...shape, momentum: 0 }),
      )
      return [...out, second, ...heavy, ...plain]
    },
  },
  ...[0, 0.9].flatMap((momentum) =>
    [false, true].map((nesterov) => ({
      name: `sgd, momentum ${momentum}${nesterov ? ', nesterov' : ''}`,
      run: (kernels: Kernels, source: Source, { m, k }: Sizes) => {
        const gradient = source.floats(m * k)
        const options = { learningRate: 0.1, momentum, weightDecay: 0.01, nesterov }
        return outputs(source, [m * k, m * k], (parameter, velocity) =>
          kernels.sgd(parameter!, gradient, momentum > 0 ? velocity : undefined, options),
        )
      },
    })),
  ),
]

/** Every kernel that works row by row or value by value. */
export const cases: readonly Case[] = [...matrix, ...rows, ...elementwise]
