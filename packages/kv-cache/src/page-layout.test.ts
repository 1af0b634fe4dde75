import { expect, test } from 'vitest'
import { pageLayout } from './page-layout.js'

const valid = { layers: 2, kvHeads: 3, headDim: 4, blockTokens: 8, bytes: 10_000 }

test('blocks are the whole blocks that fit the budget', () => {
  const bytesPerBlock = 2 * 2 * 3 * 4 * 8 * 4
  expect(pageLayout(valid)).toMatchObject({ bytesPerBlock, blocks: Math.floor(10_000 / bytesPerBlock) })
  expect(pageLayout({ ...valid, bytes: bytesPerBlock }).blocks).toBe(1)
})

test('a block has 16 tokens of f32 unless asked otherwise', () => {
  const { blockTokens: _, ...rest } = valid
  expect(pageLayout(rest)).toMatchObject({ blockTokens: 16, dtype: 'f32' })
})

const wrong = [0, -1, 1.5, NaN, Infinity, 2 ** 53, '8', null]
const numbers = (['layers', 'kvHeads', 'headDim', 'blockTokens', 'bytes'] as const).flatMap((name) =>
  wrong.map((value) => [name, value] as const),
)
test.each(numbers)('%s of %s is refused', (name, value) => {
  expect(() => pageLayout({ ...valid, [name]: value })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})

test('an unknown dtype is refused', () => {
  expect(() => pageLayout({ ...valid, dtype: 'int8' as 'f32' })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_DTYPE' }),
  )
})

test.each([1, 1535, 2 ** 52])(
  'a budget of %s bytes, below one block or above 2³¹ slots, is refused',
  (bytes) => {
    expect(() => pageLayout({ ...valid, bytes })).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_CAPACITY' }),
    )
  },
)
