import type { PackedDtype, PackedMatrix, PackOptions } from '../interface.js'
import { madeHere } from '../made-here.js'
import type { NativePackedMatrix } from './binding.js'
import { NativeWeights } from './native-weights.js'

/** A packed matrix whose weights live on the Rust side. */
export class NativeMatrix extends NativeWeights implements PackedMatrix {
  readonly dtype: PackedDtype
  readonly experts: number
  readonly rows: number
  readonly columns: number
  readonly groupSize: number

  constructor(handle: NativePackedMatrix, { dtype, rows, columns, experts = 1, groupSize = 32 }: PackOptions) {
    super(handle)
    this.dtype = dtype
    this.experts = experts
    this.rows = rows
    this.columns = columns
    this.groupSize = dtype === 'int4' ? groupSize : dtype === 'int8' ? columns : 0
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, packed: PackedMatrix): NativePackedMatrix {
    return madeHere(operation, packed, NativeMatrix).alive(operation, 'packed matrix')
  }
}
