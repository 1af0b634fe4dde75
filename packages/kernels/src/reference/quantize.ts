import type { RowShape } from '../interface.js'

const { abs, fround, max, min, round } = Math

/** Nearest integer, ties to the even one, as the hardware rounds. */
export function roundHalfEven(x: number): number {
  return abs(x % 1) === 0.5 ? 2 * round(x / 2) : round(x)
}

/** The largest |x| of x[from … from + length); NaN or infinite where one of them is. */
export function largest(x: Float32Array, from: number, length: number): number {
  let found = 0
  for (let i = from; i < from + length; i++) {
    const size = abs(x[i]!)
    if (!(size <= found)) found = size // lets NaN through
    if (found !== found) return NaN
  }
  return found
}

/**
 * Quantizes x[from … from + length) to int8 and returns the scale: values = round(x·(127 / max)), scale = max / 127. All zero gives scale 0;
 * a NaN or an infinity gives scale NaN, so that the loss shows.
 */
export function quantizeRow(
  values: Int8Array,
  at: number,
  x: Float32Array,
  from: number,
  length: number,
): number {
  const size = largest(x, from, length)
  if (!(size > 0 && size < Infinity)) {
    values.fill(0, at, at + length)
    return size === 0 ? 0 : NaN
  }
  const inverse = fround(127 / size)
  for (let i = 0; i < length; i++)
    values[at + i] = max(-127, min(127, roundHalfEven(fround(x[from + i]! * inverse))))
  return fround(size / 127)
}

export function quantizeInt8(
  values: Int8Array,
  scales: Float32Array,
  x: Float32Array,
  { rows, columns }: RowShape,
): void {
  for (let row = 0; row < rows; row++)
    scales[row] = quantizeRow(values, row * columns, x, row * columns, columns)
}

export function dequantizeInt8(
  out: Float32Array,
  values: Int8Array,
  scales: Float32Array,
  { rows, columns }: RowShape,
): void {
  for (let i = 0; i < rows * columns; i++) out[i] = values[i]! * scales[Math.floor(i / columns)]!
}

/** Factors on max / 7.5 among which the scale of a 4-bit group is chosen: 0.75, 0.78125, … 1.21875. */
const candidates = Array.from({ length: 16 }, (_, j) => fround(0.75 + j / 32))

/** q = round(x·inverse) + 8, kept within 0…15. */
function nibble(x: number, inverse: number): number {
  return max(0, min(15, roundHalfEven(fround(x * inverse)) + 8))
}

/** The scale of least squared error for one group; the first of equals. Errors are summed in f64, in order. */
function groupScale(x: Float32Array, from: number, length: number): number {
  const size = largest(x, from, length)
  if (!(size > 0 && size < Infinity)) return size === 0 ? 0 : NaN
  const unit = fround(size / 7.5)
  let best = 0
  let bestError = Infinity
  for (const candidate of candidates) {
    const scale = fround(unit * candidate)
    const inverse = fround(1 / scale)
    let error = 0
    for (let i = from; i < from + length; i++) {
      const off = x[i]! - fround(scale * (nibble(x[i]!, inverse) - 8))
      error += off * off
    }
    if (error < bestError) {
      best = scale
      bestError = error
    }
  }
  return best
}

export function quantizeInt4(
  nibbles: Uint8Array,
  scales: Float32Array,
  x: Float32Array,
  { rows, columns, groupSize }: RowShape & { groupSize: number },
): void {
  for (let group = 0; group < (rows * columns) / groupSize; group++) {
    const from = group * groupSize
    const scale = groupScale(x, from, groupSize)
    scales[group] = scale
    const inverse = scale > 0 ? fround(1 / scale) : 0
    for (let i = from; i < from + groupSize; i += 2) {
      const [low, high] = scale > 0 ? [nibble(x[i]!, inverse), nibble(x[i + 1]!, inverse)] : [8, 8]
      nibbles[i / 2] = low | (high << 4)
    }
  }
}

export function dequantizeInt4(
  out: Float32Array,
  nibbles: Uint8Array,
  scales: Float32Array,
  { rows, columns, groupSize }: RowShape & { groupSize: number },
): void {
  for (let i = 0; i < rows * columns; i++) {
    const byte = nibbles[i >> 1]!
    out[i] = ((i & 1 ? byte >> 4 : byte & 15) - 8) * scales[Math.floor(i / groupSize)]!
  }
}
