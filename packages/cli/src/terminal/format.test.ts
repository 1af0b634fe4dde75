import { expect, test } from 'vitest'
import { bytes, digits, quantity } from './format.js'
import { table } from './table.js'

test.each([
  [0, '0'],
  [0.001234, '0.00123'],
  [0.00001234, '1.23e-5'],
  [1.2345, '1.23'],
  [123.45, '123'],
  [123456, '123456'],
  [NaN, 'NaN'],
])('digits(%d) is %s', (value, text) => expect(digits(value)).toBe(text))

test.each([
  [999, '999'],
  [1234567, '1.23 M'],
  [9.87e11, '987 G'],
])('quantity(%d) is %s', (value, text) => expect(quantity(value)).toBe(text))

test.each([
  [0, '0 B'],
  [1536, '1.50 KiB'],
  [2 ** 30, '1.00 GiB'],
])('bytes(%d) is %s', (value, text) => expect(bytes(value)).toBe(text))

test('a table aligns names left and figures right', () => {
  expect(
    table([
      ['', 'before'],
      ['tokens', '7'],
      ['x', '123'],
    ]),
  ).toBe('           before\n  ───────────────\n  tokens        7\n  x           123')
})
