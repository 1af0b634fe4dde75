import type { Backend } from '../backend.js'
import { checkArray, checkOneOf, checkSize } from '../checks.js'
import type { Kernels } from '../interface.js'
import { chooseSparseFormat } from '../sparse-format.js'

/** The products with sparse weights of a backend, arguments checked first, the format chosen where it is to be. */
export function checkedSparse(backend: Backend): Pick<Kernels, 'packSparse' | 'sparseMatmul'> {
  return {
    packSparse(weights, { rows, columns, format = 'auto', batch }) {
      checkSize('packSparse', 'rows', rows, 1)
      checkSize('packSparse', 'columns', columns, 1)
      checkOneOf('packSparse', 'format', format, ['auto', 'dense', 'csr', '4x1', '16x1'])
      if (batch !== undefined) checkSize('packSparse', 'batch', batch, 1)
      checkArray('packSparse', 'weights', weights, rows * columns)
      const shape = { rows, columns, isa: backend.isa, ...(batch === undefined ? {} : { batch }) }
      const chosen = format === 'auto' ? chooseSparseFormat(weights, shape) : format
      return backend.packSparse(weights, { rows, columns, format: chosen })
    },
    sparseMatmul(out, x, sparse, options) {
      const { m, bias } = options
      checkSize('sparseMatmul', 'm', m)
      checkArray('sparseMatmul', 'out', out, m * sparse.rows)
      checkArray('sparseMatmul', 'x', x, m * sparse.columns)
      if (bias !== undefined) checkArray('sparseMatmul', 'bias', bias, sparse.rows)
      backend.sparseMatmul(out, x, sparse, options)
    },
  }
}
