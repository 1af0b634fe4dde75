import { dtypeOf } from './dtype.js'
import { refuseShape, type Shape } from './shape.js'

/** A number, or arrays of arrays of numbers, all of one length per level. */
export type Nested = number | Nested[]

/** Row-major values as nested arrays. */
export function nest(data: ArrayLike<number>, shape: Shape): Nested {
  let from = 0
  const build = (level: number): Nested => {
    if (level === shape.length) return data[from++]!
    return Array.from({ length: shape[level]! }, () => build(level + 1))
  }
  return build(0)
}

/** Values and shape of nested arrays. Throws ERR_BIO_SHAPE where the rows of a level differ in length or depth. */
export function flattenNested(
  value: Nested | ArrayLike<number>,
  operation: string,
): { values: ArrayLike<number>; shape: number[] } {
  if (dtypeOf(value) !== undefined)
    return { values: value as ArrayLike<number>, shape: [(value as ArrayLike<number>).length] }
  const shape: number[] = []
  for (let level: unknown = value; isList(level); level = level[0]) shape.push(level.length)
  const values: number[] = []
  const visit = (part: unknown, level: number): void => {
    if (isList(part)) {
      if (part.length !== shape[level]) {
        refuseShape(
          operation,
          `${shape[level] ?? 'no'} entries at depth ${level}`,
          part.length,
          'All rows need the same length.',
        )
      }
      for (let i = 0; i < part.length; i++) visit(part[i], level + 1)
    } else if (typeof part === 'number' && level === shape.length) values.push(part)
    else refuseShape(operation, `numbers at depth ${shape.length}`, `${typeof part} at depth ${level}`)
  }
  visit(value, 0)
  return { values, shape }
}

const isList = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && 'length' in value)
