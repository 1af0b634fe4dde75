import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { fromData, type Rng, type Tensor } from '@bio/tensor'

/** Grey pictures of 28×28, from 0 to 1, and what they show. */
export interface Digits {
  readonly size: number
  readonly pixels: Float32Array // [size, 28, 28]
  readonly labels: Int32Array // [size]
}

export const side = 28
export const pixelsPerDigit: number = side * side
/** A digit is a sequence of 16 patches, 7×7 pixels each. */
export const patches = { count: 16, features: 49 }

/** The 10,000 digits of MNIST's test files: `t10k-images-idx3-ubyte.gz` and `t10k-labels-idx1-ubyte.gz`. */
export function readDigits(folder: string): Digits {
  const images = readIdx(join(folder, 't10k-images-idx3-ubyte.gz'), pixelsPerDigit)
  const labels = Int32Array.from(readIdx(join(folder, 't10k-labels-idx1-ubyte.gz'), 1))
  return { size: labels.length, pixels: Float32Array.from(images, (grey) => grey / 255), labels }
}

/** The bytes of an IDX file after its head: 00 00 08, the count of dimensions, then each size as a big-endian word. */
function readIdx(path: string, bytesPerItem: number): Uint8Array {
  const file = gunzipSync(readFileSync(path))
  const dimensions = file[3] ?? 0
  const values = file.subarray(4 + 4 * dimensions)
  const count = file.length < 8 ? 0 : file.readUInt32BE(4)
  if (file[2] !== 8 || count === 0 || values.length !== count * bytesPerItem)
    throw new Error(`${path} is no IDX file of bytes, ${bytesPerItem} per item`)
  return values
}

/** Shuffles once, then deals: as many digits to each part as `counts` says. */
export function deal(digits: Digits, { counts, rng }: { counts: readonly number[]; rng: Rng }): Digits[] {
  const order = shuffled(digits.size, rng)
  let first = 0
  return counts.map((count) => {
    const rows = order.subarray(first, (first += count))
    return {
      size: count,
      pixels: pictures(digits, rows, () => ({ right: 0, down: 0 })),
      labels: rows.map((row) => digits.labels[row]!),
    }
  })
}

/** 0…n − 1 in random order. */
export function shuffled(n: number, rng: Rng): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = rng.int(i + 1)
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

/** The pixels of some digits, each moved as `move` says, [rows, 28, 28]. */
export function pictures(
  { pixels }: Digits,
  rows: Int32Array,
  move: () => { right: number; down: number },
): Float32Array {
  const out = new Float32Array(rows.length * pixelsPerDigit)
  rows.forEach((row, i) => {
    const { right, down } = move()
    for (let y = Math.max(0, down); y < Math.min(side, side + down); y++) {
      const from = row * pixelsPerDigit + (y - down) * side
      const line = pixels.subarray(from + Math.max(0, -right), from + Math.min(side, side - right))
      out.set(line, i * pixelsPerDigit + y * side + Math.max(0, right))
    }
  })
  return out
}

/** pixels [rows, 28, 28] → patches in reading order [rows, 16, 49]. */
export function toPatches(pixels: Float32Array): Tensor {
  const rows = pixels.length / pixelsPerDigit
  const bands = fromData(pixels, [rows * 4, 7, 4, 7]) // [bands, line, patch, column]
  return bands.transpose(1, 2).reshape([rows, patches.count, patches.features])
}
