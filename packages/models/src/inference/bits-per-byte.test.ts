import { expect, test } from 'vitest'
import { tinyDecoder } from '../testing/tiny.js'
import { bitsPerByte, unigramBitsPerByte } from './bits-per-byte.js'

test('the frequencies of two equally common bytes are worth one bit', () => {
  expect(unigramBitsPerByte(Uint8Array.of(1, 2, 1, 2))).toBe(1)
  expect(unigramBitsPerByte(Uint8Array.of(5, 5, 5))).toBe(0)
})

test('an untrained decoder needs about eight bits per byte, whatever the batch', () => {
  const text = Uint8Array.from({ length: 200 }, (_, i) => (i * 73) % 256)
  const decoder = tinyDecoder()
  const bits = bitsPerByte(decoder, text, { length: 32 })
  expect(Math.abs(bits - 8)).toBeLessThan(1)
  expect(bitsPerByte(decoder, text, { length: 32, batch: 1 })).toBeCloseTo(bits, 5)
})

test('a text shorter than a window is refused', () => {
  expect(() => bitsPerByte(tinyDecoder(), new Uint8Array(32), { length: 32 })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error,
  )
})
