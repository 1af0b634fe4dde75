import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'
import { dimension } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/** Σ x over everything or one dimension. */
export function sum(x: Tensor, dim?: number): Tensor {
  return reduce(x, dim, { name: 'sum', divisor: () => 1 })
}

/** Σ x / count over everything or one dimension. */
export function mean(x: Tensor, dim?: number): Tensor {
  return reduce(x, dim, { name: 'mean', divisor: (count) => count })
}

function reduce(
  x: Tensor,
  dim: number | undefined,
  { name, divisor }: { name: string; divisor: (count: number) => number },
): Tensor {
  if (dim === undefined) {
    const by = divisor(x.size)
    const { size } = x
    return record(name, [x], {
      shape: [],
      data: Float32Array.of(getKernels().sum(f32(x, name)) / by),
      backward: (dy) => [allocate(size).fill(dy[0]! / by)],
    })
  }
  const axis = dimension(x.shape, dim, name)
  const count = x.shape[axis]!
  const inner = x.shape.slice(axis + 1).reduce((product, size) => product * size, 1)
  const outer = x.shape.slice(0, axis).reduce((product, size) => product * size, 1)
  const by = divisor(count)
  return record(name, [x], {
    shape: [...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)],
    data: sumAxis(f32(x, name), { outer, count, inner, by }),
    backward: (dy) => [spreadAxis(dy, { outer, count, inner, by })],
  })
}

type Axis = { outer: number; count: number; inner: number; by: number }

/** out [outer, inner] = Σ over the middle of x [outer, count, inner] / by, in f64. */
function sumAxis(x: Float32Array, { outer, count, inner, by }: Axis): Float32Array {
  const out = allocate(outer * inner)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let total = 0
      const end = (o + 1) * count * inner
      for (let from = o * count * inner + i; from < end; from += inner) total += x[from]!
      out[o * inner + i] = total / by
    }
  }
  return out
}

/** dx [outer, count, inner] = dy [outer, inner] / by, repeated. */
function spreadAxis(dy: Float32Array, { outer, count, inner, by }: Axis): Float32Array {
  const dx = allocate(outer * count * inner)
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < count; c++) {
      const to = (o * count + c) * inner
      for (let i = 0; i < inner; i++) dx[to + i] = dy[o * inner + i]! / by
    }
  }
  return dx
}
