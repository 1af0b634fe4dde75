import { checkNumber, invalid } from '../check.js'

/** An amount with bounds: dollars, whatever your currency, or grams. */
export interface Range {
  readonly low: number
  readonly expected: number
  readonly high: number
}

/** A number or range as a range, checked: 0 ≤ low ≤ expected ≤ high, all finite. */
export function toRange(operation: string, name: string, value: number | Range): Range {
  const range = typeof value === 'number' ? { low: value, expected: value, high: value } : value
  if (typeof range !== 'object' || range === null)
    throw invalid(operation, `${name} to be a number or a range`, value)
  for (const side of ['low', 'expected', 'high'] as const) {
    checkNumber(operation, `${name}.${side}`, range[side], { minimum: 0 })
  }
  const { low, expected, high } = range
  if (low <= expected && expected <= high) return range
  throw invalid(operation, `${name} with low ≤ expected ≤ high`, `${low} ≤ ${expected} ≤ ${high}`)
}

export function scaleRange({ low, expected, high }: Range, factor: number): Range {
  return { low: low * factor, expected: expected * factor, high: high * factor }
}

/** Of two amounts that vary independently, neither below 0. */
export function multiplyRanges(left: Range, right: Range): Range {
  return { low: left.low * right.low, expected: left.expected * right.expected, high: left.high * right.high }
}

export function addRanges(left: Range, right: Range): Range {
  return { low: left.low + right.low, expected: left.expected + right.expected, high: left.high + right.high }
}
