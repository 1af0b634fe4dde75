import type { Backend } from './backend.js'
import { checked } from './checked/index.js'
import type { Kernels, PackedMatrix, SparseMatrix } from './interface.js'
import { madeHere } from './made-here.js'
import { activate, activateBackward, swiglu, swigluBackward } from './reference/activation.js'
import { attention, attentionBackward } from './reference/attention.js'
import { dequantizeBlocks, setBlocks } from './reference/blocks.js'
import { fromBf16, toBf16 } from './reference/convert.js'
import { add, addScaled, multiply, scale, sum, sumOfSquares } from './reference/elementwise.js'
import { withMemoryChecks } from './reference/memory.js'
import { swigluExperts, swigluExpertsBackward } from './reference/experts.js'
import { groupedMatmul, groupedWeightGradient, matmul, squareAccumulate } from './reference/matmul.js'
import { layerNorm, layerNormBackward, rmsNorm, rmsNormBackward } from './reference/norm.js'
import { adamW, adamWByProduct, sgd, sgdByProduct } from './reference/optimizer.js'
import { groupedMatmulPacked, matmulPacked, ReferencePackedMatrix } from './reference/packed.js'
import { pagedAttention, pagedWrite } from './reference/paged-attention.js'
import { probePeak, probeReadBandwidth } from './reference/probe.js'
import { dequantizeInt4, dequantizeInt8, quantizeInt4, quantizeInt8 } from './reference/quantize.js'
import { rotary } from './reference/rotary.js'
import { gatherRows, scatterAddRows, scatterAddRowsBackward, sumRows } from './reference/rows.js'
import { crossEntropy, crossEntropyBackward, softmax, softmaxBackward } from './reference/softmax.js'
import { ReferenceSparseMatrix } from './reference/sparse.js'

/**
 * The kernels in plain TypeScript: the readable specification of each, the oracle of the tests, and what runs where no binary fits.
 * Sums are taken in f64 and rounded once, so it is at least as exact as the native backend, and much slower.
 */
export function createTypeScriptKernels(): Kernels {
  return checked(withMemoryChecks(backend))
}

const backend: Backend = {
  backend: 'typescript',
  isa: 'scalar',
  threads: 1,
  setThreads() {},
  matmul,
  groupedMatmul,
  groupedWeightGradient,
  swigluExperts,
  swigluExpertsBackward,
  squareAccumulate,
  pack: (weights, options) => new ReferencePackedMatrix(weights, options),
  packZeros: (options) => new ReferencePackedMatrix(undefined, options),
  setBlocks: (packed, rows, blocks, type) => setBlocks(own('setBlocks', packed), rows, blocks, type),
  dequantizeBlocks,
  unpack: (out, packed) => own('unpack', packed).unpack(out),
  matmulPacked: (out, x, packed, options) => matmulPacked(out, x, own('matmulPacked', packed), options),
  groupedMatmulPacked: (out, x, packed, options) =>
    groupedMatmulPacked(out, x, own('groupedMatmulPacked', packed), options),
  packSparse: (weights, options) => new ReferenceSparseMatrix(weights, options),
  sparseMatmul: (out, x, sparse, options) => ownSparse('sparseMatmul', sparse).multiply(out, x, options),
  gatherRows,
  scatterAddRows,
  scatterAddRowsBackward,
  sumRows,
  rmsNorm,
  rmsNormBackward,
  layerNorm,
  layerNormBackward,
  softmax,
  softmaxBackward,
  crossEntropy,
  crossEntropyBackward,
  activate,
  activateBackward,
  swiglu,
  swigluBackward,
  add,
  multiply,
  scale,
  addScaled,
  sum,
  sumOfSquares,
  toBf16,
  fromBf16,
  rotary,
  attention,
  attentionBackward,
  pagedWrite,
  pagedAttention,
  adamW,
  adamWByProduct,
  sgd,
  sgdByProduct,
  quantizeInt8,
  dequantizeInt8,
  quantizeInt4,
  dequantizeInt4,
  probeReadBandwidth,
  probePeak,
}

const own = (operation: string, packed: PackedMatrix): ReferencePackedMatrix =>
  madeHere(operation, packed, ReferencePackedMatrix)
const ownSparse = (operation: string, sparse: SparseMatrix): ReferenceSparseMatrix =>
  madeHere(operation, sparse, ReferenceSparseMatrix)
