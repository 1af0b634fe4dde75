import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Rng } from '@bio/tensor'
import { afterAll, expect, test } from 'vitest'
import { deal, pictures, pixelsPerDigit, readDigits, toPatches, type Digits } from './digits.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-digits-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** An IDX file of bytes: its sizes, then its values. */
function write(name: string, sizes: readonly number[], values: Uint8Array): void {
  const head = Buffer.alloc(4 + 4 * sizes.length)
  head.writeUInt16BE(0x08_00 + sizes.length, 2)
  sizes.forEach((size, i) => head.writeUInt32BE(size, 4 + 4 * i))
  writeFileSync(join(folder, `t10k-${name}-ubyte.gz`), gzipSync(Buffer.concat([head, values])))
}

const digits: Digits = {
  size: 40,
  pixels: Float32Array.from({ length: 40 * pixelsPerDigit }, (_, i) => Math.floor(i / pixelsPerDigit)),
  labels: Int32Array.from({ length: 40 }, (_, i) => i),
}

test('files of MNIST are read, and one that was cut short is refused', () => {
  write('labels-idx1', [2], Uint8Array.of(7, 3))
  write('images-idx3', [2, 28, 28], new Uint8Array(2 * pixelsPerDigit).fill(255, pixelsPerDigit))
  const { size, pixels, labels } = readDigits(folder)
  expect([size, ...labels, pixels[0], pixels.at(-1)]).toEqual([2, 7, 3, 0, 1])
  write('images-idx3', [2, 28, 28], new Uint8Array(2 * pixelsPerDigit - 1))
  expect(() => readDigits(folder)).toThrow('no IDX file')
})

test('dealing hands each digit to one part only, with its label', () => {
  const parts = deal(digits, { counts: [25, 10, 5], rng: new Rng(3) })
  expect(parts.map(({ size }) => size)).toEqual([25, 10, 5])
  const labels = parts.flatMap((part) => [...part.labels])
  expect(labels.toSorted((a, b) => a - b)).toEqual([...digits.labels])
  for (const { labels: own, pixels } of parts)
    own.forEach((label, row) => expect(pixels[row * pixelsPerDigit]).toBe(label))
})

test('a picture that is moved loses what leaves it, and nothing comes in', () => {
  const one: Digits = { size: 1, pixels: new Float32Array(pixelsPerDigit), labels: Int32Array.of(0) }
  one.pixels[0] = 1 // top left
  one.pixels[27 * 28 + 27] = 2 // bottom right
  const moved = (right: number, down: number): number[] =>
    [...pictures(one, Int32Array.of(0), () => ({ right, down }))].flatMap((value, i) =>
      value === 0 ? [] : [value, i % 28, Math.floor(i / 28)],
    )
  expect(moved(0, 0)).toEqual([1, 0, 0, 2, 27, 27])
  expect(moved(2, 1)).toEqual([1, 2, 1])
  expect(moved(-3, -1)).toEqual([2, 24, 26])
})

test('patches are 7×7 pixels in reading order', () => {
  const x = toPatches(Float32Array.from({ length: 2 * pixelsPerDigit }, (_, i) => i))
  expect(x.shape).toEqual([2, 16, 49])
  const patch = (x.toArray() as number[][][])[1]![6]! // second row of patches, third of four
  expect(patch.slice(0, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 28].map((i) => pixelsPerDigit + 7 * 28 + 14 + i))
})
