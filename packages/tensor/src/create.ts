import { arrayType, dtypeOf, type DType, type TensorData } from './dtype.js'
import { BioError } from '@bio/errors'
import { convert } from './convert.js'
import { flattenNested, type Nested } from './nested.js'
import { formatShape, refuseShape, sizeOf, type Shape } from './shape.js'
import { Storage } from './storage.js'
import { Tensor } from './tensor.js'
import type { Rng } from './rng.js'

interface CreateOptions {
  /** Default f32. */
  readonly dtype?: DType
  /** Default false. */
  readonly requiresGrad?: boolean
}

/**
 * A tensor over an existing typed array, without a copy: Float32Array → f32, Int32Array → i32, Uint8Array → u8, Int8Array → i8;
 * Uint16Array needs `dtype`. Shape by default: one dimension. Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE.
 */
export function fromData(
  data: TensorData,
  shape: Shape = [data.length],
  { dtype = dtypeOf(data), requiresGrad = false }: CreateOptions = {},
): Tensor {
  if (dtype === undefined || !(data instanceof arrayType(dtype, 'fromData'))) {
    throw new BioError('ERR_BIO_DTYPE', {
      operation: 'fromData',
      expected:
        dtype === undefined
          ? 'a typed array of f32, i32, u8 or i8, or a dtype'
          : `the typed array of ${dtype}`,
      received: (data as object | undefined)?.constructor?.name ?? String(data),
    })
  }
  if (sizeOf(shape, 'fromData') !== data.length) {
    refuseShape('fromData', `${data.length} values to fill ${formatShape(shape)}`, sizeOf(shape, 'fromData'))
  }
  return leaf(data, [...shape], { dtype, requiresGrad })
}

/**
 * A tensor from numbers, copied: nested arrays give their own shape, flat ones take `shape`. Errors: ERR_BIO_SHAPE (ragged rows, or
 * another number of values than the shape holds), ERR_BIO_DTYPE.
 */
export function tensor(
  data: Nested | ArrayLike<number>,
  { shape, dtype, requiresGrad = false }: CreateOptions & { readonly shape?: Shape } = {},
): Tensor {
  const flat = flattenNested(data, 'tensor')
  const type = dtype ?? dtypeOf(data) ?? 'f32'
  const integers = type === 'i32' || type === 'u8' || type === 'i8'
  const values = new (arrayType(integers ? type : 'f32', 'tensor'))(flat.values.length)
  values.set(flat.values)
  if (integers) checkWhole(values, flat.values, { operation: 'tensor', dtype: type })
  const stored = integers || type === 'f32' ? values : convert(values, 'f32', type)
  return fromData(stored, shape ?? flat.shape, { dtype: type, requiresGrad })
}

/** A tensor of one value throughout; f32 unless said otherwise. */
export function full(
  shape: Shape,
  value: number,
  { dtype = 'f32', requiresGrad = false }: CreateOptions = {},
): Tensor {
  const integers = dtype === 'i32' || dtype === 'u8' || dtype === 'i8'
  const data = new (arrayType(integers ? dtype : 'f32', 'full'))(sizeOf(shape, 'full')).fill(value)
  if (integers) checkWhole(data.subarray(0, 1), [value], { operation: 'full', dtype })
  const stored = integers || dtype === 'f32' ? data : convert(data, 'f32', dtype)
  return leaf(stored, [...shape], { dtype, requiresGrad })
}

export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 0, options)
}

export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 1, options)
}

/** Normally distributed values, mean 0 and standard deviation `std` (default 1). */
export function randn(
  shape: Shape,
  { rng, std = 1, requiresGrad = false }: { rng: Rng; std?: number; requiresGrad?: boolean },
): Tensor {
  const data = new Float32Array(sizeOf(shape, 'randn'))
  rng.fillNormal(data, { std })
  return leaf(data, [...shape], { dtype: 'f32', requiresGrad })
}

/** Evenly distributed values in [low, high), by default [0, 1). */
export function uniform(
  shape: Shape,
  {
    rng,
    low = 0,
    high = 1,
    requiresGrad = false,
  }: { rng: Rng; low?: number; high?: number; requiresGrad?: boolean },
): Tensor {
  const data = new Float32Array(sizeOf(shape, 'uniform'))
  rng.fillUniform(data, { low, high })
  return leaf(data, [...shape], { dtype: 'f32', requiresGrad })
}

/** Integers hold what they were given, or it is an error: an id of 1.5 or of 300 in u8 is nobody's wish. */
function checkWhole(
  stored: TensorData,
  given: ArrayLike<number>,
  { operation, dtype }: { operation: string; dtype: DType },
): void {
  for (let i = 0; i < stored.length; i++) {
    if (stored[i] === given[i] || Object.is(given[i], -0)) continue
    throw new BioError('ERR_BIO_VALUE', {
      operation,
      expected: `whole numbers that ${dtype} holds`,
      received: `${given[i]} at ${i}`,
      hint: 'Make the tensor in f32 and round it with to().',
    })
  }
}

function leaf(
  data: TensorData,
  shape: Shape,
  { dtype, requiresGrad }: { dtype: DType; requiresGrad: boolean },
): Tensor {
  const result = new Tensor(new Storage(data, { pooled: false }), shape, dtype)
  if (requiresGrad) result.requiresGrad = true
  return result
}
