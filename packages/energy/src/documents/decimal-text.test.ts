import fc from 'fast-check'
import { expect, test } from 'vitest'
import { shiftDecimal, significant } from './decimal-text.js'

test('a shifted decimal is the same number, without exponent', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1e30, max: 1e30, noNaN: true }),
      fc.integer({ min: -12, max: 12 }),
      (value, places) => {
        const text = shiftDecimal(value, places)
        expect(text).toMatch(/^-?\d+(\.\d*[1-9])?$/)
        expect(Number(`${text}e${-places}`)).toBe(value === 0 ? 0 : value)
      },
    ),
  )
  expect([shiftDecimal(0, -6), shiftDecimal(5.57, -6), shiftDecimal(120, 3)]).toEqual([
    '0',
    '0.00000557',
    '120000',
  ])
})

test('three significant figures, rounded outwards as bounds', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-30, max: 1e18, noNaN: true }), (value) => {
      const [down, nearest, up] = (['down', 'nearest', 'up'] as const).map((way) => significant(value, way))
      for (const text of [down, nearest, up]) {
        expect(text).toMatch(/^\d+(\.\d+)?$/)
        expect(Math.abs(Number(text) / value - 1)).toBeLessThan(0.0101)
        expect(text!.replace('.', '').replace(/^0+/, '').length).toBeGreaterThanOrEqual(3)
      }
      expect(Number(down)).toBeLessThanOrEqual(value)
      expect(Number(up)).toBeGreaterThanOrEqual(value)
    }),
  )
  expect([significant(0, 'up'), significant(1.5e-9, 'nearest'), significant(2, 'down')]).toEqual([
    '0',
    '0.00000000150',
    '2.00',
  ])
})
