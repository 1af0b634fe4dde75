import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  fromKilowattHours,
  fromMegawattHours,
  shiftDecimal,
  toKilowattHours,
  toMegawattHours,
} from './units.js'

test('joules of a microjoule counter come back exactly from kWh and MWh', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999_999 }), (microjoules) => {
      const joules = microjoules / 1e6
      expect(fromKilowattHours(toKilowattHours(joules))).toBe(joules)
      expect(fromMegawattHours(toMegawattHours(joules))).toBe(joules)
    }),
    { numRuns: 5000 },
  )
})

test('any other joules come back to 15 significant digits', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-30, max: 1e30, noNaN: true }), (joules) => {
      expect(Math.abs(fromKilowattHours(toKilowattHours(joules)) / joules - 1)).toBeLessThan(5.4e-15)
    }),
  )
})

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
