import type { Backend } from '../backend.js'
import { checkApart, checkArray, checkIndices, checkInPlace, checkNumber, checkSize } from '../checks.js'
import type { Kernels } from '../interface.js'

type RowKernels = Pick<
  Kernels,
  | 'gatherRows'
  | 'scatterAddRows'
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
      checkApart('gatherRows', out, [source])
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
      checkApart('scatterAddRows', out, [x, scales])
      checkIndices('scatterAddRows', 'index', index, rows)
      backend.scatterAddRows(out, x, index, options)
    },
    sumRows(out, x, options) {
      checkArray('sumRows', 'x', x, area('sumRows', options))
      checkArray('sumRows', 'out', out, options.columns)
      checkApart('sumRows', out, [x])
      backend.sumRows(out, x, options)
    },
    rmsNorm(out, inverse, x, weight, options) {
      const size = area('rmsNorm', options)
      checkNumber('rmsNorm', 'epsilon', options.epsilon, { above: 0 })
      checkArray('rmsNorm', 'out', out, size)
      checkArray('rmsNorm', 'inverse', inverse, options.rows)
      checkArray('rmsNorm', 'x', x, size)
      checkArray('rmsNorm', 'weight', weight, options.columns)
      checkApart('rmsNorm', out, [inverse, x, weight])
      checkApart('rmsNorm', inverse, [x, weight])
      backend.rmsNorm(out, inverse, x, weight, options)
    },
    rmsNormBackward(dx, dWeight, dy, x, weight, inverse, options) {
      const size = area('rmsNormBackward', options)
      for (const [name, array] of Object.entries({ dx, dy, x }))
        checkArray('rmsNormBackward', name, array, size)
      for (const [name, array] of Object.entries({ dWeight, weight }))
        checkArray('rmsNormBackward', name, array, options.columns)
      checkArray('rmsNormBackward', 'inverse', inverse, options.rows)
      checkApart('rmsNormBackward', dx, [dWeight, dy, x, weight, inverse])
      checkApart('rmsNormBackward', dWeight, [dy, x, weight, inverse])
      backend.rmsNormBackward(dx, dWeight, dy, x, weight, inverse, options)
    },
    layerNorm(out, mean, inverse, x, weight, bias, options) {
      const size = area('layerNorm', options)
      checkNumber('layerNorm', 'epsilon', options.epsilon, { above: 0 })
      for (const [name, array] of Object.entries({ out, x })) checkArray('layerNorm', name, array, size)
      for (const [name, array] of Object.entries({ mean, inverse }))
        checkArray('layerNorm', name, array, options.rows)
      for (const [name, array] of Object.entries({ weight, bias }))
        checkArray('layerNorm', name, array, options.columns)
      checkApart('layerNorm', out, [mean, inverse, x, weight, bias])
      checkApart('layerNorm', mean, [inverse, x, weight, bias])
      checkApart('layerNorm', inverse, [x, weight, bias])
      backend.layerNorm(out, mean, inverse, x, weight, bias, options)
    },
    layerNormBackward(dx, dWeight, dBias, dy, x, weight, mean, inverse, options) {
      const size = area('layerNormBackward', options)
      for (const [name, array] of Object.entries({ dx, dy, x }))
        checkArray('layerNormBackward', name, array, size)
      for (const [name, array] of Object.entries({ dWeight, dBias, weight })) {
        checkArray('layerNormBackward', name, array, options.columns)
      }
      for (const [name, array] of Object.entries({ mean, inverse }))
        checkArray('layerNormBackward', name, array, options.rows)
      checkApart('layerNormBackward', dx, [dWeight, dBias, dy, x, weight, mean, inverse])
      checkApart('layerNormBackward', dWeight, [dBias, dy, x, weight, mean, inverse])
      checkApart('layerNormBackward', dBias, [dy, x, weight, mean, inverse])
      backend.layerNormBackward(dx, dWeight, dBias, dy, x, weight, mean, inverse, options)
    },
    softmax(out, x, options) {
      const size = area('softmax', options)
      checkArray('softmax', 'out', out, size)
      checkArray('softmax', 'x', x, size)
      checkInPlace('softmax', out, x)
      backend.softmax(out, x, options)
    },
    softmaxBackward(dx, dy, y, options) {
      const size = area('softmaxBackward', options)
      for (const [name, array] of Object.entries({ dx, dy, y }))
        checkArray('softmaxBackward', name, array, size)
      checkInPlace('softmaxBackward', dx, dy)
      checkApart('softmaxBackward', dx, [y])
      backend.softmaxBackward(dx, dy, y, options)
    },
    crossEntropy(loss, logSumExp, logits, targets, options) {
      checkArray('crossEntropy', 'logits', logits, area('crossEntropy', options))
      for (const [name, array] of Object.entries({ loss, logSumExp }))
        checkArray('crossEntropy', name, array, options.rows)
      checkArray('crossEntropy', 'targets', targets, options.rows, Int32Array)
      checkApart('crossEntropy', loss, [logSumExp, logits])
      checkApart('crossEntropy', logSumExp, [logits])
      checkIndices('crossEntropy', 'targets', targets, options.columns, options.ignoreIndex ?? -100)
      backend.crossEntropy(loss, logSumExp, logits, targets, options)
    },
    crossEntropyBackward(dLogits, dLoss, logits, logSumExp, targets, options) {
      const size = area('crossEntropyBackward', options)
      for (const [name, array] of Object.entries({ dLogits, logits }))
        checkArray('crossEntropyBackward', name, array, size)
      for (const [name, array] of Object.entries({ dLoss, logSumExp }))
        checkArray('crossEntropyBackward', name, array, options.rows)
      checkArray('crossEntropyBackward', 'targets', targets, options.rows, Int32Array)
      checkInPlace('crossEntropyBackward', dLogits, logits)
      checkApart('crossEntropyBackward', dLogits, [dLoss, logSumExp])
      checkIndices('crossEntropyBackward', 'targets', targets, options.columns, options.ignoreIndex ?? -100)
      backend.crossEntropyBackward(dLogits, dLoss, logits, logSumExp, targets, options)
    },
  }
}
