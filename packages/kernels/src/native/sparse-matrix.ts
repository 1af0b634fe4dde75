import { BioError } from '@bio/errors'
import type { SparseFormat, SparseMatrix } from '../interface.js'
import type { NativePackedMatrix } from './binding.js'

/** A sparse matrix whose weights live on the Rust side. */
export class NativeSparseMatrix implements SparseMatrix {
  readonly format: SparseFormat
  readonly rows: number
  readonly columns: number
  readonly bytes: number
  #handle: NativePackedMatrix | undefined

  constructor(
    handle: NativePackedMatrix,
    { format, rows, columns }: { format: SparseFormat; rows: number; columns: number },
  ) {
    this.format = format
    this.rows = rows
    this.columns = columns
    this.bytes = handle.bytes
    this.#handle = handle
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, sparse: SparseMatrix): NativePackedMatrix {
    if (!(sparse instanceof NativeSparseMatrix)) {
      throw new BioError('ERR_BIO_VALUE', {
        operation,
        expected: 'a sparse matrix that this backend packed',
        received: 'one of another backend',
        hint: 'Pack and multiply with the same kernels.',
      })
    }
    if (sparse.#handle !== undefined) return sparse.#handle
    throw new BioError('ERR_BIO_DISPOSED', {
      operation,
      expected: 'a sparse matrix in use',
      received: 'one that was disposed',
    })
  }

  dispose(): void {
    this.#handle?.dispose()
    this.#handle = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
