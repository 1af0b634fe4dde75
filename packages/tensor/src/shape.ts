import { BioError } from '@bio/errors'

export type Shape = readonly number[]

/** The number of values of a shape; 1 for the shape [] of a scalar. Throws ERR_BIO_SHAPE unless each is a whole number ≥ 0. */
export function sizeOf(shape: Shape, operation: string): number {
  let size = 1
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0)
      refuseShape(operation, 'whole dimensions of at least 0', shape)
    size *= length
  }
  if (size >= 2 ** 31) refuseShape(operation, 'fewer than 2³¹ values', shape)
  return size
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** `dim` counted from the front; negative ones count from the back. Throws ERR_BIO_SHAPE where there is no such dimension. */
export function dimension(shape: Shape, dim: number, operation: string): number {
  const index = dim < 0 ? dim + shape.length : dim
  if (Number.isInteger(index) && index >= 0 && index < shape.length) return index
  return refuseShape(operation, `a dimension from ${-shape.length} to ${shape.length - 1}`, dim)
}

/** A tensor as rows of its last dimension. Throws ERR_BIO_SHAPE for a scalar or an empty last dimension. */
export function rowsOf(shape: Shape, size: number, operation: string): { rows: number; columns: number } {
  const columns = shape.at(-1)
  if (columns === undefined || columns === 0)
    return refuseShape(operation, 'a last dimension of at least 1', shape)
  return { rows: size / columns, columns }
}

export const formatShape = (shape: Shape): string => `[${shape.join(', ')}]`

export function refuseShape(
  operation: string,
  expected: string,
  received: Shape | number | string,
  hint?: string,
): never {
  throw new BioError('ERR_BIO_SHAPE', {
    operation,
    expected,
    received: typeof received === 'object' ? formatShape(received) : String(received),
    ...(hint === undefined ? {} : { hint }),
  })
}
