import { BioError } from '@bio/errors'
import type { PackedDtype, PackedMatrix, PackOptions } from '../interface.js'
import type { NativePackedMatrix } from './binding.js'

/** A packed matrix whose weights live on the Rust side. */
export class NativeMatrix implements PackedMatrix {
  readonly dtype: PackedDtype
  readonly experts: number
  readonly rows: number
  readonly columns: number
  readonly groupSize: number
  readonly bytes: number
  #handle: NativePackedMatrix | undefined

  constructor(handle: NativePackedMatrix, { dtype, rows, columns, experts = 1, groupSize = 32 }: PackOptions) {
    this.dtype = dtype
    this.experts = experts
    this.rows = rows
    this.columns = columns
    this.groupSize = dtype === 'int4' ? groupSize : dtype === 'int8' ? columns : 0
    this.bytes = handle.bytes
    this.#handle = handle
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, packed: PackedMatrix): NativePackedMatrix {
    if (!(packed instanceof NativeMatrix)) {
      throw new BioError('ERR_BIO_VALUE', {
        operation,
        expected: 'a matrix that this backend packed',
        received: 'one of another backend',
        hint: 'Pack and multiply with the same kernels.',
      })
    }
    if (packed.#handle !== undefined) return packed.#handle
    throw new BioError('ERR_BIO_DISPOSED', { operation, expected: 'a packed matrix in use', received: 'one that was disposed' })
  }

  dispose(): void {
    this.#handle?.dispose()
    this.#handle = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
