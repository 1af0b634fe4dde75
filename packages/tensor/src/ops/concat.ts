import { allocate } from '../pool.js'
import { dimension, formatShape, refuseShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'
import { copyBlocks } from './rearrange.js'

/** Joins tensors along a dimension; the other dimensions are equal. Errors: ERR_BIO_SHAPE (none given, shapes differ). */
export function concat(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors
  if (first === undefined) return refuseShape('concat', 'at least one tensor', 'none')
  const axis = dimension(first.shape, dim, 'concat')
  for (const { shape } of tensors) {
    if (
      shape.length === first.shape.length &&
      shape.every((size, i) => i === axis || size === first.shape[i])
    )
      continue
    refuseShape('concat', `${formatShape(first.shape)} but for dimension ${axis}`, shape)
  }
  const inner = first.shape.slice(axis + 1).reduce((product, size) => product * size, 1)
  const outer = first.shape.slice(0, axis).reduce((product, size) => product * size, 1)
  const counts = tensors.map(({ shape }) => shape[axis]!)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const data = allocate(outer * total * inner)
  let outFrom = 0
  tensors.forEach((part, i) => {
    const size = counts[i]! * inner
    copyBlocks(data, f32(part, 'concat'), {
      blocks: outer,
      size,
      step: size,
      outStep: total * inner,
      outFrom,
    })
    outFrom += size
  })
  return record('concat', tensors, {
    shape: first.shape.with(axis, total),
    data,
    backward: (dy, _, needs) => {
      let from = 0
      return counts.map((count, i) => {
        const size = count * inner
        const start = from
        from += size
        if (!needs[i]) return undefined
        const dx = allocate(outer * size)
        copyBlocks(dx, dy, { blocks: outer, size, step: total * inner, outStep: size, from: start })
        return dx
      })
    },
  })
}

/** Joins tensors of one shape along a new dimension. Errors: ERR_BIO_SHAPE. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors
  if (first === undefined) return refuseShape('stack', 'at least one tensor', 'none')
  const axis = dimension([...first.shape, 1], dim, 'stack')
  for (const { shape } of tensors) {
    if (formatShape(shape) !== formatShape(first.shape)) refuseShape('stack', formatShape(first.shape), shape)
  }
  return concat(
    tensors.map((part) => part.reshape(part.shape.toSpliced(axis, 0, 1))),
    axis,
  )
}
