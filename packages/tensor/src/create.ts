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
  const stored = integers || type === 'f32' ? values : convert(values, 'f32', type)
  return fromData(stored, shape ?? flat.shape, { dtype: type, requiresGrad })
}

/** A tensor of one value throughout; f32 unless said otherwise. */
export function full(
  shape: Shape,
  value: number,
  { dtype = 'f32', requiresGrad = false }: CreateOptions = {},
): Tensor {
  const size = sizeOf(shape, 'full')
  const data =
    dtype === 'bf16' || dtype === 'f16'
      ? convert(new Float32Array(size).fill(value), 'f32', dtype)
      : new (arrayType(dtype, 'full'))(size)
  if (dtype !== 'bf16' && dtype !== 'f16' && value !== 0) data.fill(value)
  return leaf(data, [...shape], { dtype, requiresGrad })
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

function leaf(
  data: TensorData,
  shape: Shape,
  { dtype, requiresGrad }: { dtype: DType; requiresGrad: boolean },
): Tensor {
  const result = new Tensor(new Storage(data, { pooled: false }), shape, dtype)
  if (requiresGrad) result.requiresGrad = true
  return result
}
