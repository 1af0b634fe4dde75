import type { Kernels, SparseFormat, SparseMatrix } from './interface.js'

/** The kernels behind the checks: the same functions, which may trust their arguments and have nothing left to choose. */
export type Backend = Omit<Kernels, 'packSparse'> & {
  packSparse(
    weights: Float32Array,
    options: { rows: number; columns: number; format: SparseFormat },
  ): SparseMatrix
}
