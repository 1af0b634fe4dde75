import { BioError } from '@bio/errors'
import type { DType } from '../dtype.js'
import { findDuplicate } from './find-duplicate.js'

/** One tensor of a file: where its bytes are, counted from the end of the header. */
export interface Entry {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly entries: readonly Entry[]
  readonly metadata: Record<string, string>
}

/** Longest header that the reference implementation accepts. */
export const longestHeader = 100_000_000

/** In the order in which the reference implementation lays them out: widest first, so that all are aligned. */
export const fileTypes: Readonly<Record<DType, { name: string; bytes: number; place: number }>> = {
  f32: { name: 'F32', bytes: 4, place: 0 },
  i32: { name: 'I32', bytes: 4, place: 1 },
  bf16: { name: 'BF16', bytes: 2, place: 2 },
  f16: { name: 'F16', bytes: 2, place: 3 },
  i8: { name: 'I8', bytes: 1, place: 4 },
  u8: { name: 'U8', bytes: 1, place: 5 },
}

const dtypes = new Map(Object.entries(fileTypes).map(([dtype, { name }]) => [name, dtype as DType]))

/** Reads and checks the JSON of a header; `size` bytes of tensor data follow it. Throws ERR_BIO_FORMAT. */
export function parseHeader(bytes: Uint8Array, { path, size }: { path: string; size: number }): Header {
  const json = parseJson(bytes, path)
  const metadata = json['__metadata__'] ?? {}
  if (!isObject(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    refuseFormat(path, '__metadata__ of strings', 'something else')
  }
  const entries = Object.entries(json)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseEntry(name, value, path))
    .toSorted((a, b) => a.begin - b.begin || a.end - b.end)
  let position = 0
  for (const { name, begin, end } of entries) {
    if (begin !== position)
      refuseFormat(path, `${name} to begin at byte ${position}, without gap or overlap`, `${begin}`)
    position = end
  }
  if (position !== size) {
    const hint = position > size ? 'The file is truncated.' : undefined
    refuseFormat(path, `${position} bytes of tensors, as the header says`, `${size} bytes`, hint)
  }
  return { entries, metadata: metadata as Record<string, string> }
}

function parseJson(bytes: Uint8Array, path: string): Record<string, unknown> {
  let json: unknown
  let duplicate: string | undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    if (!text.startsWith('{')) throw new SyntaxError('it does not start with {')
    duplicate = findDuplicate(text, { deepest: 3 })
    json = JSON.parse(text)
  } catch (cause) {
    return refuseFormat(
      path,
      'a header of JSON in UTF-8, 3 levels deep',
      (cause as Error).message,
      undefined,
      cause,
    )
  }
  if (duplicate !== undefined) refuseFormat(path, 'each name once', `${duplicate} twice`)
  return json as Record<string, unknown>
}

function parseEntry(name: string, value: unknown, path: string): Entry {
  const { dtype: type, shape, data_offsets: offsets } = isObject(value) ? value : {}
  const dtype = typeof type === 'string' ? dtypes.get(type) : undefined
  if (dtype === undefined) {
    return refuseFormat(
      path,
      `${name} of dtype ${[...dtypes.keys()].join(', ')}`,
      JSON.stringify(type) ?? 'none',
    )
  }
  if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    return refuseFormat(
      path,
      `${name} with a shape and two data_offsets, whole numbers`,
      `${JSON.stringify(shape)}, ${JSON.stringify(offsets)}`,
    )
  }
  const [begin, end] = offsets as [number, number]
  const values = shape.reduce((product, size) => product * size, 1)
  if (!(values < 2 ** 31) || end - begin !== values * fileTypes[dtype].bytes) {
    return refuseFormat(
      path,
      `${name} of ${values} values, fewer than 2³¹, in ${values * fileTypes[dtype].bytes} bytes`,
      `${end - begin} bytes`,
    )
  }
  return { name, dtype, shape, begin, end }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)

export function refuseFormat(
  path: string,
  expected: string,
  received: string,
  hint?: string,
  cause?: unknown,
): never {
  throw new BioError('ERR_BIO_FORMAT', {
    operation: 'readSafetensors',
    expected: `${expected} in ${path}`,
    received,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}
