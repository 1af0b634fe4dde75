import { availableParallelism } from 'node:os'
import type { Backend } from '../backend.js'
import { checked } from '../checked/index.js'
import type { AttentionOptions, Kernels } from '../interface.js'
import { IGNORE_INDEX } from '../reference/softmax.js'
import type { Binding } from './binding.js'
import { loadBinding } from './load.js'
import { NativeMatrix } from './packed-matrix.js'
import { NativeSparseMatrix } from './sparse-matrix.js'

/** The kernels over the Rust crate. Throws ERR_BIO_NATIVE, naming what is missing, where no binary fits. */
export function loadNativeKernels(): Kernels {
  return checked(adapt(loadBinding()))
}

const attentionScale = ({ scale, headDim }: Pick<AttentionOptions, 'scale' | 'headDim'>): number => scale ?? 1 / Math.sqrt(headDim)

/** Options to positions; what needs no change is passed on as it is. */
function adapt(b: Binding): Backend {
  return {
    ...b,
    backend: 'native',
    isa: b.isa(),
    setThreads: (threads) => b.setThreads(Math.min(threads, availableParallelism())),
    matmul(out, a, c, o) {
      const { m, n, k, transposeA = false, transposeB = false, accumulate = false, skipZeros = false } = o
      b.matmul(out, a, c, m, n, k, transposeA, transposeB, accumulate, skipZeros)
    },
    groupedMatmul: (out, x, w, { offsets, n, k, layout }) => b.groupedMatmul(out, x, w, offsets, n, k, layout === 'nk'),
    groupedWeightGradient: (out, dy, x, { offsets, n, k }) => b.groupedWeightGradient(out, dy, x, offsets, n, k),
    swigluExperts: (out, gateUp, inner, x, gateUpWeights, downWeights, { offsets, dim, hidden }) =>
      b.swigluExperts(out, gateUp, inner, x, gateUpWeights, downWeights, offsets, dim, hidden),
    swigluExpertsBackward(dx, dGateUpWeights, dDownWeights, dGateUp, dy, x, gateUp, inner, gateUpWeights, downWeights, o) {
      const { offsets, dim, hidden } = o
      b.swigluExpertsBackward(dx, dGateUpWeights, dDownWeights, dGateUp, dy, x, gateUp, inner, gateUpWeights, downWeights, offsets, dim, hidden)
    },
    squareAccumulate: (out, dy, x, { rows, n, k }) => b.squareAccumulate(out, dy, x, rows, n, k),
    pack(weights, options) {
      const { dtype, rows, columns, experts = 1, groupSize = 32 } = options
      return new NativeMatrix(b, b.pack(weights, dtype, experts, rows, columns, groupSize), options)
    },
    packZeros(options) {
      const { dtype, rows, columns, experts = 1, groupSize = 32 } = options
      return new NativeMatrix(b, b.packZeros(dtype, experts, rows, columns, groupSize), options)
    },
    setBlocks: (packed, rows, blocks, type) => b.setBlocks(NativeMatrix.handle('setBlocks', packed), rows, blocks, type),
    unpack: (out, packed) => b.unpack(out, NativeMatrix.handle('unpack', packed)),
    matmulPacked(out, x, packed, { m, bias }) {
      const handle = NativeMatrix.handle('matmulPacked', packed)
      // Left out rather than undefined: a sixth of what reading the arguments takes.
      if (bias === undefined) b.matmulPacked(out, x, handle, m)
      else b.matmulPacked(out, x, handle, m, bias)
    },
    groupedMatmulPacked: (out, x, packed, { offsets, index }) =>
      b.groupedMatmulPacked(out, x, NativeMatrix.handle('groupedMatmulPacked', packed), offsets, index),
    packSparse: (weights, options) =>
      new NativeSparseMatrix(b, b.packSparse(weights, options.format, options.rows, options.columns), options),
    sparseMatmul: (out, x, sparse, { m, bias }) =>
      b.sparseMatmul(out, x, NativeSparseMatrix.handle('sparseMatmul', sparse), m, bias),
    gatherRows: (out, source, index, { columns }) => b.gatherRows(out, source, index, columns),
    scatterAddRows: (out, x, index, { columns, scales }) => b.scatterAddRows(out, x, index, columns, scales),
    scatterAddRowsBackward: (dx, dScales, dy, x, index, { columns, scales }) =>
      b.scatterAddRowsBackward(dx, dScales, dy, x, index, columns, scales),
    sumRows: (out, x, { rows, columns }) => b.sumRows(out, x, rows, columns),
    rmsNorm: (out, inverse, x, weight, { rows, columns, epsilon }) => b.rmsNorm(out, inverse, x, weight, rows, columns, epsilon),
    rmsNormBackward: (dx, dWeight, dy, x, weight, inverse, { rows, columns }) =>
      b.rmsNormBackward(dx, dWeight, dy, x, weight, inverse, rows, columns),
    layerNorm: (out, mean, inverse, x, weight, bias, { rows, columns, epsilon }) =>
      b.layerNorm(out, mean, inverse, x, weight, bias, rows, columns, epsilon),
    layerNormBackward: (dx, dWeight, dBias, dy, x, weight, mean, inverse, { rows, columns }) =>
      b.layerNormBackward(dx, dWeight, dBias, dy, x, weight, mean, inverse, rows, columns),
    softmax: (out, x, { rows, columns }) => b.softmax(out, x, rows, columns),
    softmaxBackward: (dx, dy, y, { rows, columns }) => b.softmaxBackward(dx, dy, y, rows, columns),
    crossEntropy: (loss, logSumExp, logits, targets, { rows, columns, ignoreIndex = IGNORE_INDEX }) =>
      b.crossEntropy(loss, logSumExp, logits, targets, rows, columns, ignoreIndex),
    crossEntropyBackward: (dLogits, dLoss, logits, logSumExp, targets, { rows, columns, ignoreIndex = IGNORE_INDEX }) =>
      b.crossEntropyBackward(dLogits, dLoss, logits, logSumExp, targets, rows, columns, ignoreIndex),
    swiglu: (out, gateUp, { rows, hidden }) => b.swiglu(out, gateUp, rows, hidden),
    swigluBackward: (dGateUp, dy, gateUp, { rows, hidden }) => b.swigluBackward(dGateUp, dy, gateUp, rows, hidden),
    rotary: (out, x, positions, { heads, headDim, theta, inverse = false }) =>
      b.rotary(out, x, positions, heads, headDim, theta, inverse),
    attention(out, logSumExp, q, k, v, o) {
      b.attention(out, logSumExp, q, k, v, o.batch, o.length, o.heads, o.kvHeads, o.headDim, o.causal, attentionScale(o))
    },
    attentionBackward(dq, dk, dv, dOut, q, k, v, out, logSumExp, o) {
      const { batch, length, heads, kvHeads, headDim, causal } = o
      b.attentionBackward(dq, dk, dv, dOut, q, k, v, out, logSumExp, batch, length, heads, kvHeads, headDim, causal, attentionScale(o))
    },
    pagedWrite: (pages, rows, slots, { kvHeads, headDim, blockTokens, content }) =>
      b.pagedWrite(pages, rows, slots, kvHeads, headDim, blockTokens, content === 'keys'),
    pagedAttention(out, q, keyPages, valuePages, o) {
      const { sequences, positions, blockTables, maxBlocks, heads, kvHeads, headDim, blockTokens } = o
      b.pagedAttention(
        out,
        q,
        keyPages,
        valuePages,
        sequences,
        positions,
        blockTables,
        maxBlocks,
        heads,
        kvHeads,
        headDim,
        blockTokens,
        attentionScale(o),
      )
    },
    adamW: (parameter, gradient, m, v, { learningRate, beta1, beta2, epsilon, weightDecay, step }) =>
      b.adamW(parameter, gradient, m, v, learningRate, beta1, beta2, epsilon, weightDecay, step),
    sgd: (parameter, gradient, velocity, { learningRate, momentum, weightDecay, nesterov = false }) =>
      b.sgd(parameter, gradient, velocity, learningRate, momentum, weightDecay, nesterov),
    adamWByProduct(parameter, dy, x, m, v, o) {
      const { rows, n, k, learningRate, beta1, beta2, epsilon, weightDecay, step } = o
      b.adamWByProduct(parameter, dy, x, m, v, rows, n, k, learningRate, beta1, beta2, epsilon, weightDecay, step)
    },
    sgdByProduct(parameter, dy, x, velocity, o) {
      const { rows, n, k, learningRate, momentum, weightDecay, nesterov = false } = o
      b.sgdByProduct(parameter, dy, x, velocity, rows, n, k, learningRate, momentum, weightDecay, nesterov)
    },
    quantizeInt8: (values, scales, x, { rows, columns }) => b.quantizeInt8(values, scales, x, rows, columns),
    dequantizeInt8: (out, values, scales, { rows, columns }) => b.dequantizeInt8(out, values, scales, rows, columns),
    quantizeInt4: (nibbles, scales, x, { rows, columns, groupSize }) => b.quantizeInt4(nibbles, scales, x, rows, columns, groupSize),
    dequantizeInt4: (out, nibbles, scales, { rows, columns, groupSize }) =>
      b.dequantizeInt4(out, nibbles, scales, rows, columns, groupSize),
    probeReadBandwidth: ({ bytes = 2 ** 28, threads = b.threads() } = {}) => b.probeReadBandwidth(bytes, threads),
    probePeak: (kind, { threads = b.threads() } = {}) => b.probePeak(kind, threads),
    // Last, as in `checked`.
    get threads() {
      return b.threads()
    },
  }
}
