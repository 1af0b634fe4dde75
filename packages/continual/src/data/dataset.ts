import { BioError } from '@bio/errors'
import { fromData, type Tensor } from '@bio/tensor'

/** Items as rows: x [size, …xShape] and whole-number targets y [size, …yShape]. */
export interface Dataset {
  readonly size: number
  readonly x: Float32Array | Int32Array
  readonly y: Int32Array
  readonly xShape: readonly number[]
  readonly yShape: readonly number[]
}

/** Some items of a dataset as tensors: x [size, …xShape], y [size, …yShape], i32. */
export interface Batch {
  readonly x: Tensor
  readonly y: Tensor
  readonly size: number
}

const product = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1)

/** A dataset over arrays, not copied. Throws ERR_BIO_SHAPE where the arrays hold another number of items. */
export function dataset(
  options: Omit<Dataset, 'size' | 'yShape'> & { readonly yShape?: readonly number[] },
): Dataset {
  const { x, y, xShape, yShape = [] } = options
  const size = x.length / product(xShape)
  if (Number.isInteger(size) && size > 0 && y.length === size * product(yShape))
    return { size, x, y, xShape, yShape }
  throw new BioError('ERR_BIO_SHAPE', {
    operation: 'dataset',
    expected: `whole items: x of [*, ${xShape.join(', ')}], y of [*, ${yShape.join(', ')}]`,
    received: `${x.length} and ${y.length} values`,
  })
}

/** Copies items into a batch. */
export function batchOf({ x, y, xShape, yShape }: Dataset, items: ArrayLike<number>): Batch {
  const [width, depth] = [product(xShape), product(yShape)]
  const xs =
    x instanceof Float32Array ? new Float32Array(items.length * width) : new Int32Array(items.length * width)
  const ys = new Int32Array(items.length * depth)
  for (let row = 0; row < items.length; row++) {
    const item = items[row]!
    xs.set(x.subarray(item * width, (item + 1) * width), row * width)
    ys.set(y.subarray(item * depth, (item + 1) * depth), row * depth)
  }
  return {
    x: fromData(xs, [items.length, ...xShape]),
    y: fromData(ys, [items.length, ...yShape]),
    size: items.length,
  }
}

/** The items of two batches of one kind, one after the other. */
export function joinBatches(first: Batch, second: Batch): Batch {
  const join = (a: Tensor, b: Tensor): Tensor => {
    const [left, right] = [a.data as Float32Array | Int32Array, b.data as Float32Array | Int32Array]
    const all =
      left instanceof Float32Array
        ? new Float32Array(left.length + right.length)
        : new Int32Array(left.length + right.length)
    all.set(left)
    all.set(right, left.length)
    return fromData(all, [a.shape[0]! + b.shape[0]!, ...a.shape.slice(1)])
  }
  return { x: join(first.x, second.x), y: join(first.y, second.y), size: first.size + second.size }
}
