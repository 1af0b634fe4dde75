import { BioError } from '@bio/errors'

/** Element types. Operations compute in f32; the others are for storage, ids and files. */
export type DType = 'f32' | 'bf16' | 'f16' | 'i32' | 'u8' | 'i8'

/** The memory of a tensor. bf16 and f16 travel as their bits. */
export type TensorData = Float32Array | Uint16Array | Int32Array | Uint8Array | Int8Array

type ArrayType = {
  new (length: number): TensorData
  readonly BYTES_PER_ELEMENT: number
  readonly name: string
}

const arrays: Readonly<Record<DType, ArrayType>> = {
  f32: Float32Array,
  bf16: Uint16Array,
  f16: Uint16Array,
  i32: Int32Array,
  u8: Uint8Array,
  i8: Int8Array,
}

/** The typed array class that holds values of `dtype`. Throws ERR_BIO_DTYPE for a name that is none. */
export function arrayType(dtype: DType, operation: string): ArrayType {
  if (Object.hasOwn(arrays, dtype)) return arrays[dtype]
  throw new BioError('ERR_BIO_DTYPE', {
    operation,
    expected: `dtype, one of ${Object.keys(arrays).join(', ')}`,
    received: String(dtype),
  })
}

/** The dtype that a typed array holds where nobody says otherwise; undefined for one that no tensor holds. */
export function dtypeOf(data: unknown): DType | undefined {
  if (data instanceof Float32Array) return 'f32'
  if (data instanceof Int32Array) return 'i32'
  if (data instanceof Uint8Array) return 'u8'
  if (data instanceof Int8Array) return 'i8'
  return undefined
}
