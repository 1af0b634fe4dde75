import { expect, test } from 'vitest'
import { pageLayout } from './page-layout.js'

const valid = { layers: 2, kvHeads: 3, headDim: 4, blockTokens: 8, bytes: 10_000 }

test('blocks are the whole blocks that fit the budget', () => {
  const bytesPerBlock = 2 * 2 * 3 * 4 * 8 * 4
  expect(pageLayout(valid)).toMatchObject({ bytesPerBlock, blocks: Math.floor(10_000 / bytesPerBlock) })
  expect(pageLayout({ ...valid, bytes: bytesPerBlock }).blocks).toBe(1)
})

test.each([
  ['f32', 4 * 4],
  ['bf16', 2 * 4],
  ['int8', 4 + 4],
] as const)('a head of a token takes its values and its scale: %s, %d bytes', (dtype, headBytes) => {
  const bytesPerBlock = 2 * 2 * 3 * 8 * headBytes
  expect(pageLayout({ ...valid, dtype })).toMatchObject({
    dtype,
    bytesPerBlock,
    blocks: Math.floor(10_000 / bytesPerBlock),
  })
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

test.each(['f16', 'toString', '', 8, null])('a dtype of %s is refused', (dtype) => {
  expect(() => pageLayout({ ...valid, dtype: dtype as 'f32' })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
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
