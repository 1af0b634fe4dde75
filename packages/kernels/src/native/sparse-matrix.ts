import type { SparseFormat, SparseMatrix } from '../interface.js'
import { madeHere } from '../made-here.js'
import type { NativePackedMatrix } from './binding.js'
import { NativeWeights } from './native-weights.js'

/** A sparse matrix whose weights live on the Rust side. */
export class NativeSparseMatrix extends NativeWeights implements SparseMatrix {
  readonly format: SparseFormat
  readonly rows: number
  readonly columns: number

  constructor(
    handle: NativePackedMatrix,
    { format, rows, columns }: { format: SparseFormat; rows: number; columns: number },
  ) {
    super(handle)
    this.format = format
    this.rows = rows
    this.columns = columns
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, sparse: SparseMatrix): NativePackedMatrix {
    return madeHere(operation, sparse, NativeSparseMatrix, 'sparse matrix').alive(operation, 'sparse matrix')
  }
}
