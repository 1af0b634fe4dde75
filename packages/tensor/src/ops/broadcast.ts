import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape, type Shape } from '../shape.js'
import type { Tensor } from '../tensor.js'

/** The shape of a ∘ b: the larger one, of which the other is the last dimensions (or one value). Throws ERR_BIO_SHAPE otherwise. */
export function broadcast(a: Tensor, b: Tensor, operation: string): Shape {
  if (isTail(b, a.shape)) return a.shape
  if (isTail(a, b.shape)) return b.shape
  return refuseShape(
    operation,
    'equal shapes, or one that is the last dimensions of the other',
    `${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    'Reshape, or repeat the smaller one.',
  )
}

function isTail(small: Tensor, shape: Shape): boolean {
  const tail = small.shape
  const offset = shape.length - tail.length
  if (offset < 0) return false
  if (small.size === 1) return true
  for (let i = 0; i < tail.length; i++) if (tail[i] !== shape[offset + i]) return false
  return true
}

/** `data` repeated to `size` values; itself if it has as many. */
export function repeat(data: Float32Array, size: number): Float32Array {
  if (data.length === size) return data
  return repeatInto(allocate(size), data)
}

/** Fills `out` with copies of `data`, doubling what is there. */
export function repeatInto(out: Float32Array, data: Float32Array): Float32Array {
  if (data.length === 1) return out.fill(data[0]!)
  if (out.length === 0 || data.length === 0) return out
  out.set(data)
  for (let filled = data.length; filled < out.length; filled *= 2) out.copyWithin(filled, 0, filled)
  return out
}

/** The gradient of `repeat`: sums over the copies. `dy` itself if nothing was repeated. */
export function sumCopies(dy: Float32Array, size: number): Float32Array {
  if (dy.length === size) return dy
  const kernels = getKernels()
  if (size === 1) return Float32Array.of(kernels.sum(dy))
  const out = allocate(size).fill(0)
  if (size > 0) kernels.sumRows(out, dy, { rows: dy.length / size, columns: size })
  return out
}
