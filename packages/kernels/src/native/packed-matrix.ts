import type { PackedDtype, PackedMatrix, PackOptions } from '../interface.js'
import { madeHere } from '../made-here.js'
import type { Binding, NativePacked } from './binding.js'
import { NativeWeights } from './native-weights.js'

/** A packed matrix whose weights live on the Rust side. */
export class NativeMatrix extends NativeWeights<NativePacked> implements PackedMatrix {
  readonly dtype: PackedDtype
  readonly experts: number
  readonly rows: number
  readonly columns: number
  readonly groupSize: number

  constructor(
    binding: Binding,
    handle: NativePacked,
    { dtype, rows, columns, experts = 1, groupSize = 32 }: PackOptions,
  ) {
    super(handle, binding.packedBytes(handle), binding.disposePacked)
    this.dtype = dtype
    this.experts = experts
    this.rows = rows
    this.columns = columns
    this.groupSize = dtype === 'int4' ? groupSize : dtype === 'int8' ? columns : 0
  }

  /** The handle of a matrix that this backend packed and nobody has disposed. */
  static handle(operation: string, packed: PackedMatrix): NativePacked {
    return madeHere(operation, packed, NativeMatrix).alive(operation, 'packed matrix')
  }
}
