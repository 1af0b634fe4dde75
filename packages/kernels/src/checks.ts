import { BioError } from '@bio/errors'

/** Any array that a kernel takes. */
export type KernelArray = Float32Array | Int32Array | Uint16Array | Int8Array | Uint8Array

export function refuse(
  code: string,
  operation: string,
  expected: string,
  received: string,
  hint?: string,
): never {
  throw new BioError(code, { operation, expected, received, ...(hint === undefined ? {} : { hint }) })
}

/** A dimension: a whole number of at least `low`. */
export function checkSize(operation: string, name: string, value: number, low = 0): void {
  if (Number.isSafeInteger(value) && value >= low && value < 2 ** 31) return
  refuse('ERR_BIO_SHAPE', operation, `${name}, a whole number of at least ${low}`, String(value))
}

/** An array of a type, with its memory, and of an exact length where one is asked for. Whose memory it is, the backends check. */
export function checkArray(
  operation: string,
  name: string,
  array: KernelArray,
  length?: number,
  type: { new (length: number): KernelArray; readonly name: string } = Float32Array,
): void {
  if (array instanceof type && array.length === length) return
  refuseArray(operation, name, array, length, type)
}

/** Apart from `checkArray`, which is small enough to be compiled into each kernel. */
function refuseArray(
  operation: string,
  name: string,
  array: KernelArray,
  length: number | undefined,
  type: { new (length: number): KernelArray; readonly name: string },
): void {
  if (!(array instanceof type)) {
    refuse(
      'ERR_BIO_SHAPE',
      operation,
      `${name} as a ${type.name}`,
      (array as object | undefined)?.constructor.name ?? String(array),
    )
  }
  // A detached array reports a length of 0.
  if (array.length === 0 && isDetached(array.buffer)) {
    refuse(
      'ERR_BIO_BUFFER',
      operation,
      `${name} with its memory`,
      'a detached buffer',
      'It was transferred to another thread.',
    )
  }
  if (length !== undefined && array.length !== length)
    refuse('ERR_BIO_SHAPE', operation, `${name} of ${length} values`, `${array.length} values`)
}

function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) return false
  try {
    // Viewing a detached buffer throws; `detached` itself is not in Node 20.
    return new Uint8Array(buffer).length !== 0
  } catch {
    return true
  }
}

/** Every index is from 0 to limit − 1, or the one that is ignored. */
export function checkIndices(
  operation: string,
  name: string,
  index: Int32Array,
  limit: number,
  ignored?: number,
): void {
  for (let i = 0; i < index.length; i++) {
    const value = index[i]!
    if ((value < 0 || value >= limit) && value !== ignored) {
      refuse('ERR_BIO_INDEX', operation, `${name} from 0 to ${limit - 1}`, `${value} at ${i}`)
    }
  }
}

/** Row ranges of experts: from 0, never decreasing, to `rows`. */
export function checkOffsets(
  operation: string,
  offsets: Int32Array,
  { experts, rows }: { experts: number; rows: number },
): void {
  checkArray(operation, 'offsets', offsets, experts + 1, Int32Array)
  let last = 0
  for (let i = 0; i < offsets.length; i++) {
    if (offsets[i]! < last || (i === 0 && offsets[i] !== 0)) {
      refuse(
        'ERR_BIO_INDEX',
        operation,
        'offsets that start at 0 and never decrease',
        `${offsets[i]} at ${i}`,
      )
    }
    last = offsets[i]!
  }
  if (last !== rows) refuse('ERR_BIO_INDEX', operation, `offsets that end at ${rows} rows`, String(last))
}

/** No value is NaN or infinite: a sum in f64 of f32 values is finite then, and only then. */
export function checkFinite(operation: string, name: string, sum: number): void {
  if (Number.isFinite(sum)) return
  refuse('ERR_BIO_VALUE', operation, `${name} of finite values`, 'NaN or infinity among them')
}

/** A number that is finite, and above or at least a bound. */
export function checkNumber(
  operation: string,
  name: string,
  value: number,
  { above, low }: { above?: number; low?: number } = {},
): void {
  const inside =
    Number.isFinite(value) && (above === undefined || value > above) && (low === undefined || value >= low)
  if (inside) return
  const bound =
    above === undefined
      ? low === undefined
        ? 'a finite number'
        : `a number of at least ${low}`
      : `a number above ${above}`
  refuse('ERR_BIO_VALUE', operation, `${name}, ${bound}`, String(value))
}

export function checkOneOf(
  operation: string,
  name: string,
  value: string | number,
  allowed: readonly (string | number)[],
): void {
  if (!allowed.includes(value))
    refuse('ERR_BIO_VALUE', operation, `${name}, one of ${allowed.join(', ')}`, String(value))
}
