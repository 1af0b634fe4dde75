import type { Backend } from '../backend.js'
import { checkArray, checkIndices, checkNumber, checkSize } from '../checks.js'
import type { Kernels } from '../interface.js'

type RowKernels = Pick<
  Kernels,
  | 'gatherRows'
  | 'scatterAddRows'
  | 'scatterAddRowsBackward'
  | 'sumRows'
  | 'rmsNorm'
  | 'rmsNormBackward'
  | 'layerNorm'
  | 'layerNormBackward'
  | 'softmax'
  | 'softmaxBackward'
  | 'crossEntropy'
  | 'crossEntropyBackward'
>

/** Made once: a step calls these checks for every layer. */
const above0 = { above: 0 }

/** Checks rows and columns and returns their product. */
function area(operation: string, { rows, columns }: { rows: number; columns: number }): number {
  checkSize(operation, 'rows', rows)
  checkSize(operation, 'columns', columns, 1)
  return rows * columns
}

/** The row kernels of a backend, arguments checked first. */
export function checkedRows(backend: Backend): RowKernels {
  return {
    gatherRows(out, source, index, options) {
      checkSize('gatherRows', 'columns', options.columns, 1)
      checkArray('gatherRows', 'index', index, undefined, Int32Array)
      const rows = Math.floor(source.length / options.columns)
      checkArray('gatherRows', 'source', source, rows * options.columns)
      checkArray('gatherRows', 'out', out, index.length * options.columns)
      checkIndices('gatherRows', 'index', index, rows)
      backend.gatherRows(out, source, index, options)
    },
    scatterAddRows(out, x, index, options) {
      const { columns, scales } = options
      checkSize('scatterAddRows', 'columns', columns, 1)
      checkArray('scatterAddRows', 'index', index, undefined, Int32Array)
      const rows = Math.floor(out.length / columns)
      checkArray('scatterAddRows', 'out', out, rows * columns)
      checkArray('scatterAddRows', 'x', x, index.length * columns)
      if (scales !== undefined) checkArray('scatterAddRows', 'scales', scales, index.length)
      checkIndices('scatterAddRows', 'index', index, rows)
      backend.scatterAddRows(out, x, index, options)
    },
    scatterAddRowsBackward(dx, dScales, dy, x, index, options) {
      const { columns, scales } = options
      checkSize('scatterAddRowsBackward', 'columns', columns, 1)
      checkArray('scatterAddRowsBackward', 'index', index, undefined, Int32Array)
      const rows = Math.floor(dy.length / columns)
      checkArray('scatterAddRowsBackward', 'dx', dx, index.length * columns)
      checkArray('scatterAddRowsBackward', 'dScales', dScales, index.length)
      checkArray('scatterAddRowsBackward', 'dy', dy, rows * columns)
      checkArray('scatterAddRowsBackward', 'x', x, index.length * columns)
      checkArray('scatterAddRowsBackward', 'scales', scales, index.length)
      checkIndices('scatterAddRowsBackward', 'index', index, rows)
      backend.scatterAddRowsBackward(dx, dScales, dy, x, index, options)
    },
    sumRows(out, x, options) {
      checkArray('sumRows', 'x', x, area('sumRows', options))
      checkArray('sumRows', 'out', out, options.columns)
      backend.sumRows(out, x, options)
    },
    rmsNorm(out, inverse, x, weight, options) {
      const size = area('rmsNorm', options)
      checkNumber('rmsNorm', 'epsilon', options.epsilon, above0)
      checkArray('rmsNorm', 'out', out, size)
      checkArray('rmsNorm', 'inverse', inverse, options.rows)
      checkArray('rmsNorm', 'x', x, size)
      checkArray('rmsNorm', 'weight', weight, options.columns)
      backend.rmsNorm(out, inverse, x, weight, options)
    },
    rmsNormBackward(dx, dWeight, dy, x, weight, inverse, options) {
      const size = area('rmsNormBackward', options)
      checkArray('rmsNormBackward', 'dx', dx, size)
      checkArray('rmsNormBackward', 'dy', dy, size)
      checkArray('rmsNormBackward', 'x', x, size)
      checkArray('rmsNormBackward', 'dWeight', dWeight, options.columns)
      checkArray('rmsNormBackward', 'weight', weight, options.columns)
      checkArray('rmsNormBackward', 'inverse', inverse, options.rows)
      backend.rmsNormBackward(dx, dWeight, dy, x, weight, inverse, options)
    },
    layerNorm(out, mean, inverse, x, weight, bias, options) {
      const size = area('layerNorm', options)
      checkNumber('layerNorm', 'epsilon', options.epsilon, above0)
      checkArray('layerNorm', 'out', out, size)
      checkArray('layerNorm', 'x', x, size)
      checkArray('layerNorm', 'mean', mean, options.rows)
      checkArray('layerNorm', 'inverse', inverse, options.rows)
      checkArray('layerNorm', 'weight', weight, options.columns)
      checkArray('layerNorm', 'bias', bias, options.columns)
      backend.layerNorm(out, mean, inverse, x, weight, bias, options)
    },
    layerNormBackward(dx, dWeight, dBias, dy, x, weight, mean, inverse, options) {
      const size = area('layerNormBackward', options)
      checkArray('layerNormBackward', 'dx', dx, size)
      checkArray('layerNormBackward', 'dy', dy, size)
      checkArray('layerNormBackward', 'x', x, size)
      checkArray('layerNormBackward', 'dWeight', dWeight, options.columns)
      checkArray('layerNormBackward', 'dBias', dBias, options.columns)
      checkArray('layerNormBackward', 'weight', weight, options.columns)
      checkArray('layerNormBackward', 'mean', mean, options.rows)
      checkArray('layerNormBackward', 'inverse', inverse, options.rows)
      backend.layerNormBackward(dx, dWeight, dBias, dy, x, weight, mean, inverse, options)
    },
    softmax(out, x, options) {
      const size = area('softmax', options)
      checkArray('softmax', 'out', out, size)
      checkArray('softmax', 'x', x, size)
      backend.softmax(out, x, options)
    },
    softmaxBackward(dx, dy, y, options) {
      const size = area('softmaxBackward', options)
      checkArray('softmaxBackward', 'dx', dx, size)
      checkArray('softmaxBackward', 'dy', dy, size)
      checkArray('softmaxBackward', 'y', y, size)
      backend.softmaxBackward(dx, dy, y, options)
    },
    crossEntropy(loss, logSumExp, logits, targets, options) {
      checkArray('crossEntropy', 'logits', logits, area('crossEntropy', options))
      checkArray('crossEntropy', 'loss', loss, options.rows)
      checkArray('crossEntropy', 'logSumExp', logSumExp, options.rows)
      checkArray('crossEntropy', 'targets', targets, options.rows, Int32Array)
      checkIndices('crossEntropy', 'targets', targets, options.columns, options.ignoreIndex ?? -100)
      backend.crossEntropy(loss, logSumExp, logits, targets, options)
    },
    crossEntropyBackward(dLogits, dLoss, logits, logSumExp, targets, options) {
      const size = area('crossEntropyBackward', options)
      checkArray('crossEntropyBackward', 'dLogits', dLogits, size)
      checkArray('crossEntropyBackward', 'logits', logits, size)
      checkArray('crossEntropyBackward', 'dLoss', dLoss, options.rows)
      checkArray('crossEntropyBackward', 'logSumExp', logSumExp, options.rows)
      checkArray('crossEntropyBackward', 'targets', targets, options.rows, Int32Array)
      checkIndices('crossEntropyBackward', 'targets', targets, options.columns, options.ignoreIndex ?? -100)
      backend.crossEntropyBackward(dLogits, dLoss, logits, logSumExp, targets, options)
    },
  }
}
