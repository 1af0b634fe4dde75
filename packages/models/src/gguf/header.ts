import { blockShapes, type BlockType } from '@bio/kernels'
import { Cursor } from './cursor.js'
import { refuseGguf, refuseUnsupported, type ByteSource } from './file.js'

export type Value = number | boolean | string | readonly Value[]

/** A tensor of the file: rows of blocks, [experts, rows, columns]. */
export interface TensorInfo {
  readonly name: string
  readonly type: BlockType
  readonly experts: number
  readonly rows: number
  readonly columns: number
  /** Bytes of one row. */
  readonly rowBytes: number
  /** The first byte in the file. */
  readonly begin: number
}

export interface Header {
  readonly metadata: ReadonlyMap<string, Value>
  readonly tensors: ReadonlyMap<string, TensorInfo>
}

/** Deepest arrays of arrays; none are known to be in use. */
const deepest = 4

/** ggml's numbers of the types that are read. */
const types: Readonly<Record<number, BlockType>> = {
  0: 'f32', 1: 'f16', 2: 'q4_0', 8: 'q8_0', 12: 'q4_K', 14: 'q6_K', 30: 'bf16',
} // prettier-ignore

/** Other types by name, for the message. */
const otherTypes: Readonly<Record<number, string>> = {
  3: 'Q4_1', 6: 'Q5_0', 7: 'Q5_1', 10: 'Q2_K', 11: 'Q3_K', 13: 'Q5_K', 20: 'IQ4_NL', 23: 'IQ4_XS', 28: 'F64', 39: 'MXFP4',
} // prettier-ignore

/**
 * Reads the header of a GGUF file, version 2 or 3, and checks all that it says: counts, lengths, types, alignment, and that every tensor
 * is inside the file and overlaps no other. Throws ERR_BIO_FORMAT, or ERR_BIO_UNSUPPORTED for a tensor type that isn't read.
 */
export function readHeader(source: ByteSource): Header {
  const { path } = source
  const cursor = new Cursor(source)
  const magic = cursor.u32()
  if (magic !== 0x46554747) refuseGguf(path, 'GGUF as the first four bytes', `0x${magic.toString(16)}`)
  const version = cursor.u32()
  if (version !== 2 && version !== 3) refuseGguf(path, 'GGUF version 2 or 3, little-endian', `${version}`)
  const tensorCount = cursor.count('tensors', 8 + 4 + 8 + 4 + 8)
  const metadataCount = cursor.count('metadata', 8 + 4 + 1)
  const metadata = new Map<string, Value>()
  for (let i = 0; i < metadataCount; i++) {
    const key = cursor.string()
    if (metadata.has(key)) refuseGguf(path, 'each key once', `${key} twice`)
    metadata.set(key, readValue(cursor, cursor.u32(), { path, depth: 0 }))
  }
  const alignment = metadata.get('general.alignment') ?? 32
  if (
    typeof alignment !== 'number' ||
    alignment < 8 ||
    alignment > 2 ** 20 ||
    !Number.isInteger(Math.log2(alignment))
  )
    refuseGguf(path, 'general.alignment, a power of two from 8 to 2²⁰', String(alignment))
  const infos = Array.from({ length: tensorCount }, () => readInfo(cursor, path))
  const dataStart = Math.ceil(cursor.position / alignment) * alignment
  const tensors = new Map<string, TensorInfo>()
  for (const { offset, ...info } of infos) {
    if (tensors.has(info.name)) refuseGguf(path, 'each tensor once', `${info.name} twice`)
    if (offset % alignment !== 0) refuseGguf(path, `${info.name} at a multiple of ${alignment}`, `${offset}`)
    tensors.set(info.name, { ...info, begin: dataStart + offset })
  }
  checkApart([...tensors.values()], source)
  return { metadata, tensors }
}

function readValue(cursor: Cursor, type: number, at: { path: string; depth: number }): Value {
  switch (type) {
    case 0:
      return cursor.u8()
    case 1:
      return cursor.i8()
    case 2:
      return cursor.u16()
    case 3:
      return cursor.i16()
    case 4:
      return cursor.u32()
    case 5:
      return cursor.i32()
    case 6:
      return cursor.f32()
    case 7:
      return cursor.bool()
    case 8:
      return cursor.string()
    case 9: {
      if (at.depth >= deepest) refuseGguf(at.path, `arrays at most ${deepest} deep`, 'a deeper one')
      const inner = cursor.u32()
      // A value takes at least one byte, so that a wrong length cannot ask for more than the file holds.
      const length = cursor.count('an array', 1)
      const values: Value[] = []
      for (let i = 0; i < length; i++) values.push(readValue(cursor, inner, { ...at, depth: at.depth + 1 }))
      return values
    }
    case 10:
      return cursor.u64()
    case 11:
      return cursor.i64()
    case 12:
      return cursor.f64()
    default:
      return refuseGguf(at.path, 'a value type from 0 to 12', `${type}`)
  }
}

function readInfo(cursor: Cursor, path: string): Omit<TensorInfo, 'begin'> & { offset: number } {
  const name = cursor.string()
  const dimensions = cursor.u32()
  if (dimensions < 1 || dimensions > 4) refuseGguf(path, `${name} of 1 to 4 dimensions`, `${dimensions}`)
  // The first runs fastest.
  const shape = Array.from({ length: dimensions }, () => cursor.u64())
  const [columns, rows = 1, experts = 1, more = 1] = shape as [number, number?, number?, number?]
  if (shape.some((size) => size < 1 || size >= 2 ** 31) || rows * experts >= 2 ** 31 || more !== 1)
    refuseGguf(path, `${name} of sizes from 1 to 2³¹ in at most 3 dimensions`, `[${shape.join(', ')}]`)
  const number = cursor.u32()
  const offset = cursor.u64()
  const type = types[number]
  if (type === undefined) {
    return refuseUnsupported(
      path,
      `${name} of type F32, F16, BF16, Q4_0, Q8_0, Q4_K or Q6_K`,
      otherTypes[number] ?? `type ${number}`,
      'Take a file quantized as Q4_0, Q8_0 or Q6_K.',
    )
  }
  const { values, bytes } = blockShapes[type]
  if (columns % values !== 0)
    refuseGguf(path, `${name} of columns in whole blocks of ${values}`, `${columns}`)
  return { name, type, experts, rows, columns, rowBytes: (columns / values) * bytes, offset }
}

function checkApart(tensors: readonly TensorInfo[], { path, size }: ByteSource): void {
  let end = 0
  for (const { name, begin, experts, rows, rowBytes } of tensors.toSorted((a, b) => a.begin - b.begin)) {
    if (begin < end) refuseGguf(path, `${name} from byte ${end} on, apart from all others`, `${begin}`)
    end = begin + experts * rows * rowBytes
    if (!(end <= size)) refuseGguf(path, `${end} bytes, to the end of ${name}`, `${size} bytes`)
  }
}
