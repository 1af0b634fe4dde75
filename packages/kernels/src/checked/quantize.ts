import type { Backend } from '../backend.js'
import { checkArray, checkFinite, checkOneOf, checkSize } from '../checks.js'
import type { Kernels, RowShape } from '../interface.js'

type QuantizeKernels = Pick<
  Kernels,
  | 'quantizeInt8'
  | 'dequantizeInt8'
  | 'quantizeInt4'
  | 'dequantizeInt4'
  | 'probeReadBandwidth'
  | 'probePeak'
  | 'setThreads'
>

function area(operation: string, { rows, columns }: RowShape): number {
  checkSize(operation, 'rows', rows)
  checkSize(operation, 'columns', columns, 1)
  return rows * columns
}

/** Checks a 4-bit shape and returns how many values and groups it has. */
function groups(
  operation: string,
  options: RowShape & { groupSize: number },
): { size: number; count: number } {
  const { columns, groupSize } = options
  const size = area(operation, options)
  checkSize(operation, 'groupSize', groupSize, 2)
  checkOneOf(operation, 'groupSize % 2', groupSize % 2, [0])
  checkOneOf(operation, `columns % ${groupSize}`, columns % groupSize, [0])
  return { size, count: size / groupSize }
}

/** Quantization, probes and threads of a backend, arguments checked first. */
export function checkedQuantize(backend: Backend): QuantizeKernels {
  return {
    quantizeInt8(values, scales, x, options) {
      const size = area('quantizeInt8', options)
      checkArray('quantizeInt8', 'values', values, size, Int8Array)
      checkArray('quantizeInt8', 'scales', scales, options.rows)
      checkArray('quantizeInt8', 'x', x, size)
      checkFinite('quantizeInt8', 'x', backend.sum(x))
      backend.quantizeInt8(values, scales, x, options)
    },
    dequantizeInt8(out, values, scales, options) {
      const size = area('dequantizeInt8', options)
      checkArray('dequantizeInt8', 'out', out, size)
      checkArray('dequantizeInt8', 'values', values, size, Int8Array)
      checkArray('dequantizeInt8', 'scales', scales, options.rows)
      checkFinite('dequantizeInt8', 'scales', backend.sum(scales))
      backend.dequantizeInt8(out, values, scales, options)
    },
    quantizeInt4(nibbles, scales, x, options) {
      const { size, count } = groups('quantizeInt4', options)
      checkArray('quantizeInt4', 'nibbles', nibbles, size / 2, Uint8Array)
      checkArray('quantizeInt4', 'scales', scales, count)
      checkArray('quantizeInt4', 'x', x, size)
      checkFinite('quantizeInt4', 'x', backend.sum(x))
      backend.quantizeInt4(nibbles, scales, x, options)
    },
    dequantizeInt4(out, nibbles, scales, options) {
      const { size, count } = groups('dequantizeInt4', options)
      checkArray('dequantizeInt4', 'out', out, size)
      checkArray('dequantizeInt4', 'nibbles', nibbles, size / 2, Uint8Array)
      checkArray('dequantizeInt4', 'scales', scales, count)
      checkFinite('dequantizeInt4', 'scales', backend.sum(scales))
      backend.dequantizeInt4(out, nibbles, scales, options)
    },
    setThreads(threads) {
      checkSize('setThreads', 'threads', threads, 1)
      backend.setThreads(threads)
    },
    probeReadBandwidth(options = {}) {
      if (options.bytes !== undefined) checkSize('probeReadBandwidth', 'bytes', options.bytes, 4096)
      if (options.threads !== undefined) checkSize('probeReadBandwidth', 'threads', options.threads, 1)
      return backend.probeReadBandwidth(options)
    },
    probePeak(kind, options = {}) {
      checkOneOf('probePeak', 'kind', kind, ['f32', 'bf16', 'int8'])
      if (options.threads !== undefined) checkSize('probePeak', 'threads', options.threads, 1)
      return backend.probePeak(kind, options)
    },
  }
}
