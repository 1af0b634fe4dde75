import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromKilowattHours, fromMegawattHours, toKilowattHours, toMegawattHours } from './units.js'

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
