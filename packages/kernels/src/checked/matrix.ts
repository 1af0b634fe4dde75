import type { Backend } from '../backend.js'
import { checkArray, checkFinite, checkIndices, checkOffsets, checkOneOf, checkSize } from '../checks.js'
import type { ExpertShape, Kernels, PackOptions } from '../interface.js'

type MatrixKernels = Pick<
  Kernels,
  | 'matmul'
  | 'groupedMatmul'
  | 'groupedWeightGradient'
  | 'swigluExperts'
  | 'swigluExpertsBackward'
  | 'squareAccumulate'
  | 'pack'
  | 'packZeros'
  | 'unpack'
  | 'matmulPacked'
  | 'groupedMatmulPacked'
>

/** Made once: a model calls these checks for every layer. */
const one = [1]

/** Checks a packed shape and returns how many weights it has. */
function packedSize(operation: string, options: PackOptions): number {
  const { dtype, rows, columns, experts = 1, groupSize = 32 } = options
  checkOneOf(operation, 'dtype', dtype, ['f32', 'bf16', 'int8', 'int4'])
  checkSize(operation, 'rows', rows, 1)
  checkSize(operation, 'columns', columns, 1)
  checkSize(operation, 'experts', experts, 1)
  if (dtype === 'int4') {
    checkOneOf(operation, 'groupSize', groupSize, [32, 128])
    checkOneOf(operation, `columns % ${groupSize}`, columns % groupSize, [0])
  }
  return experts * rows * columns
}

/** Checks a mixture's shape and returns how many rows it has, and weights of `down`. */
function expertSizes(
  operation: string,
  x: Float32Array,
  { offsets, dim, hidden }: ExpertShape,
): { rows: number; weights: number } {
  checkSize(operation, 'dim', dim, 1)
  checkSize(operation, 'hidden', hidden, 1)
  const [experts, rows] = [offsets.length - 1, Math.floor(x.length / dim)]
  checkOffsets(operation, offsets, { experts, rows })
  return { rows, weights: experts * dim * hidden }
}

/** The matrix products of a backend, arguments checked first. */
export function checkedMatrix(backend: Backend): MatrixKernels {
  return {
    matmul(out, a, b, options) {
      const { m, n, k } = options
      checkSize('matmul', 'm', m)
      checkSize('matmul', 'n', n)
      checkSize('matmul', 'k', k)
      checkArray('matmul', 'out', out, m * n)
      checkArray('matmul', 'a', a, m * k)
      checkArray('matmul', 'b', b, k * n)
      backend.matmul(out, a, b, options)
    },
    groupedMatmul(out, x, weights, options) {
      const { offsets, n, k, layout } = options
      checkSize('groupedMatmul', 'n', n, 1)
      checkSize('groupedMatmul', 'k', k, 1)
      checkOneOf('groupedMatmul', 'layout', layout, ['nk', 'kn'])
      const [experts, rows] = [offsets.length - 1, Math.floor(x.length / k)]
      checkOffsets('groupedMatmul', offsets, { experts, rows })
      checkArray('groupedMatmul', 'out', out, rows * n)
      checkArray('groupedMatmul', 'x', x, rows * k)
      checkArray('groupedMatmul', 'weights', weights, experts * n * k)
      backend.groupedMatmul(out, x, weights, options)
    },
    groupedWeightGradient(out, dy, x, options) {
      const { offsets, n, k } = options
      checkSize('groupedWeightGradient', 'n', n, 1)
      checkSize('groupedWeightGradient', 'k', k, 1)
      const [experts, rows] = [offsets.length - 1, Math.floor(x.length / k)]
      checkOffsets('groupedWeightGradient', offsets, { experts, rows })
      checkArray('groupedWeightGradient', 'out', out, experts * n * k)
      checkArray('groupedWeightGradient', 'dy', dy, rows * n)
      checkArray('groupedWeightGradient', 'x', x, rows * k)
      backend.groupedWeightGradient(out, dy, x, options)
    },
    swigluExperts(out, gateUp, inner, x, gateUpWeights, downWeights, options) {
      const { rows, weights } = expertSizes('swigluExperts', x, options)
      const { dim, hidden } = options
      checkArray('swigluExperts', 'out', out, rows * dim)
      checkArray('swigluExperts', 'gateUp', gateUp, 2 * rows * hidden)
      checkArray('swigluExperts', 'inner', inner, rows * hidden)
      checkArray('swigluExperts', 'x', x, rows * dim)
      checkArray('swigluExperts', 'gateUpWeights', gateUpWeights, 2 * weights)
      checkArray('swigluExperts', 'downWeights', downWeights, weights)
      backend.swigluExperts(out, gateUp, inner, x, gateUpWeights, downWeights, options)
    },
    swigluExpertsBackward(dx, dGateUpWeights, dDownWeights, dGateUp, dy, x, gateUp, inner, ...rest) {
      const [gateUpWeights, downWeights, options] = rest
      const operation = 'swigluExpertsBackward'
      const { rows, weights } = expertSizes(operation, x, options)
      const { dim, hidden } = options
      if (dx !== undefined) checkArray(operation, 'dx', dx, rows * dim)
      if (dGateUpWeights !== undefined) checkArray(operation, 'dGateUpWeights', dGateUpWeights, 2 * weights)
      if (dDownWeights !== undefined) checkArray(operation, 'dDownWeights', dDownWeights, weights)
      checkArray(operation, 'dGateUp', dGateUp, 2 * rows * hidden)
      checkArray(operation, 'dy', dy, rows * dim)
      checkArray(operation, 'x', x, rows * dim)
      checkArray(operation, 'gateUp', gateUp, 2 * rows * hidden)
      checkArray(operation, 'inner', inner, rows * hidden)
      checkArray(operation, 'gateUpWeights', gateUpWeights, 2 * weights)
      checkArray(operation, 'downWeights', downWeights, weights)
      backend.swigluExpertsBackward(
        dx,
        dGateUpWeights,
        dDownWeights,
        dGateUp,
        dy,
        x,
        gateUp,
        inner,
        gateUpWeights,
        downWeights,
        options,
      )
    },
    squareAccumulate(out, dy, x, options) {
      const { rows, n, k } = options
      checkSize('squareAccumulate', 'rows', rows)
      checkSize('squareAccumulate', 'n', n)
      checkSize('squareAccumulate', 'k', k)
      checkArray('squareAccumulate', 'out', out, n * k)
      checkArray('squareAccumulate', 'dy', dy, rows * n)
      checkArray('squareAccumulate', 'x', x, rows * k)
      backend.squareAccumulate(out, dy, x, options)
    },
    pack(weights, options) {
      const { dtype } = options
      checkArray('pack', 'weights', weights, packedSize('pack', options))
      if (dtype === 'int8' || dtype === 'int4') checkFinite('pack', 'weights', backend.sum(weights))
      return backend.pack(weights, options)
    },
    packZeros(options) {
      packedSize('packZeros', options)
      return backend.packZeros(options)
    },
    unpack(out, packed) {
      checkArray('unpack', 'out', out, packed.experts * packed.rows * packed.columns)
      backend.unpack(out, packed)
    },
    matmulPacked(out, x, packed, options) {
      const { m, bias } = options
      checkSize('matmulPacked', 'm', m)
      checkOneOf('matmulPacked', 'packed.experts', packed.experts, one)
      checkArray('matmulPacked', 'out', out, m * packed.rows)
      checkArray('matmulPacked', 'x', x, m * packed.columns)
      if (bias !== undefined) checkArray('matmulPacked', 'bias', bias, packed.rows)
      backend.matmulPacked(out, x, packed, options)
    },
    groupedMatmulPacked(out, x, packed, options) {
      const { offsets, index } = options
      const rowsOfX = Math.floor(x.length / packed.columns)
      const rows = index === undefined ? rowsOfX : index.length
      checkOffsets('groupedMatmulPacked', offsets, { experts: packed.experts, rows })
      checkArray('groupedMatmulPacked', 'out', out, rows * packed.rows)
      checkArray('groupedMatmulPacked', 'x', x, rowsOfX * packed.columns)
      if (index !== undefined) {
        checkArray('groupedMatmulPacked', 'index', index, rows, Int32Array)
        checkIndices('groupedMatmulPacked', 'index', index, rowsOfX)
      }
      backend.groupedMatmulPacked(out, x, packed, options)
    },
  }
}
