import type { SparseFormat, SparseMatrix } from '../interface.js'
import { madeHere } from '../made-here.js'
import type { Binding, NativeSparse } from './binding.js'
import { NativeWeights } from './native-weights.js'

/** A sparse matrix whose weights live on the Rust side. */
export class NativeSparseMatrix extends NativeWeights<NativeSparse> implements SparseMatrix {
  readonly format: SparseFormat
  readonly rows: number
  readonly columns: number

  constructor(
    binding: Binding,
    handle: NativeSparse,
    { format, rows, columns }: { format: SparseFormat; rows: number; columns: number },
  ) {
    super(handle, binding.sparseBytes(handle), binding.disposeSparse)
    this.format = format
    this.rows = rows
    this.columns = columns
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, sparse: SparseMatrix): NativeSparse {
    return madeHere(operation, sparse, NativeSparseMatrix, 'sparse matrix').alive(operation, 'sparse matrix')
  }
}
