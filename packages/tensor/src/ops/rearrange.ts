import { allocate } from '../pool.js'
import { BioError } from '@bio/errors'
import { dimension, formatShape, refuseShape, sizeOf, type Shape } from '../shape.js'
import { record, recordView } from '../tape/record.js'
import type { Backward } from '../tape/node.js'
import { f32, type Tensor } from '../tensor.js'

const passOn: Backward = (dy) => [dy]

/** A copy. */
export function clone(x: Tensor): Tensor {
  const data = allocate(x.size)
  data.set(f32(x, 'clone'))
  return record('clone', [x], { shape: x.shape, data, backward: passOn })
}

/** The same memory under another shape, one dimension of which may be −1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const open = shape.indexOf(-1)
  const known = sizeOf(open < 0 ? shape : shape.filter((_, i) => i !== open), 'reshape')
  const full = open < 0 ? [...shape] : shape.with(open, known === 0 ? 0 : x.size / known)
  if (sizeOf(full, 'reshape') !== x.size) refuseShape('reshape', `a shape of ${x.size} values`, shape)
  return recordView('reshape', x, full)
}

/** Swaps two dimensions. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  const [a, b] = [dimension(x.shape, dim0, 'transpose'), dimension(x.shape, dim1, 'transpose')]
  const [first, second] = [Math.min(a, b), Math.max(a, b)]
  const shape = x.shape.with(first, x.shape[second]!).with(second, x.shape[first]!)
  const from = x.shape
  return record('transpose', [x], {
    shape,
    data: swapped(f32(x, 'transpose'), { shape: from, first, second }),
    backward: (dy) => [swapped(dy, { shape, first, second })],
  })
}

/** x as [outer, p, middle, q, inner], out as [outer, q, middle, p, inner]. */
function swapped(
  x: Float32Array,
  { shape, first, second }: { shape: Shape; first: number; second: number },
): Float32Array {
  const out = allocate(x.length)
  if (first === second) {
    out.set(x)
    return out
  }
  const product = (from: number, to: number): number =>
    shape.slice(from, to).reduce((all, size) => all * size, 1)
  const [p, q] = [shape[first]!, shape[second]!]
  const [outer, middle, inner] = [
    product(0, first),
    product(first + 1, second),
    product(second + 1, shape.length),
  ]
  let to = 0
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < q; j++) {
      for (let m = 0; m < middle; m++) {
        for (let i = 0; i < p; i++) {
          const from = (((o * p + i) * middle + m) * q + j) * inner
          for (let n = 0; n < inner; n++) out[to++] = x[from + n]!
        }
      }
    }
  }
  return out
}

/** x[..., start : start + length, ...] along one dimension. */
export function narrow(
  x: Tensor,
  { dim, start, length }: { dim: number; start: number; length: number },
): Tensor {
  const axis = dimension(x.shape, dim, 'narrow')
  const count = x.shape[axis]!
  if (
    !Number.isInteger(start) ||
    !Number.isInteger(length) ||
    start < 0 ||
    length < 0 ||
    start + length > count
  ) {
    throw new BioError('ERR_BIO_INDEX', {
      operation: 'narrow',
      expected: `a range inside 0 … ${count} of dimension ${axis} of ${formatShape(x.shape)}`,
      received: `start ${start}, length ${length}`,
    })
  }
  const inner = x.shape.slice(axis + 1).reduce((product, size) => product * size, 1)
  const outer = x.shape.slice(0, axis).reduce((product, size) => product * size, 1)
  const data = allocate(outer * length * inner)
  copyBlocks(data, f32(x, 'narrow'), {
    blocks: outer,
    size: length * inner,
    outStep: length * inner,
    step: count * inner,
    from: start * inner,
  })
  const { size } = x
  return record('narrow', [x], {
    shape: x.shape.with(axis, length),
    data,
    backward: (dy) => {
      const dx = allocate(size).fill(0)
      copyBlocks(dx, dy, {
        blocks: outer,
        size: length * inner,
        step: length * inner,
        outStep: count * inner,
        outFrom: start * inner,
      })
      return [dx]
    },
  })
}

/** out[outFrom + b·outStep …] = x[from + b·step …], `size` values for each block b. */
export function copyBlocks(
  out: Float32Array,
  x: Float32Array,
  {
    blocks,
    size,
    step,
    outStep,
    from = 0,
    outFrom = 0,
  }: { blocks: number; size: number; step: number; outStep: number; from?: number; outFrom?: number },
): void {
  for (let b = 0; b < blocks; b++)
    out.set(x.subarray(from + b * step, from + b * step + size), outFrom + b * outStep)
}
