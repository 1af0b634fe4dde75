import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addReadings, joinReadings, scaleReading, shareReading, subtractReadings } from './arithmetic.js'
import { createReading, unavailableReading, type Method, type Reading } from './reading.js'

const methods: readonly Method[] = ['measured', 'derived', 'estimated', 'unavailable']
const rank = (method: Method): number => methods.indexOf(method)

const joules = fc.double({ min: -1e9, max: 1e9, noNaN: true })

/** A reading and an energy that is true for all its bounds tell. */
const known: fc.Arbitrary<{ reading: Reading; truth: number }> = fc
  .record({
    bounds: fc.tuple(joules, joules, joules, joules).map((values) => values.toSorted((a, b) => a - b)),
    truthFirst: fc.boolean(),
    method: fc.constantFrom<Method>('measured', 'derived', 'estimated'),
    domain: fc.constantFrom('package-0', 'gpu-0'),
    seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  .map(({ bounds, truthFirst, method, domain, seconds }) => {
    const [low, first, second, high] = bounds as [number, number, number, number]
    const [best, truth] = truthFirst ? [second, first] : [first, second]
    return {
      reading: createReading({ joules: best, low, high, method, source: domain, domains: [domain], seconds }),
      truth,
    }
  })

const unknown = fc
  .constantFrom('EACCES', 'reset')
  .map((reason) => unavailableReading({ source: 'rapl', seconds: 1, reasons: [reason] }))
const any = fc.oneof(
  { weight: 3, arbitrary: known.map(({ reading }) => reading) },
  { weight: 1, arbitrary: unknown },
)

function expectHolds(reading: Reading, truth: number): void {
  expect(reading.low).toBeLessThanOrEqual(truth)
  expect(reading.high).toBeGreaterThanOrEqual(truth)
  expect(reading.low).toBeLessThanOrEqual(reading.joules!)
  expect(reading.high).toBeGreaterThanOrEqual(reading.joules!)
}

test('the bounds hold every truth that the operands allow', () => {
  fc.assert(
    fc.property(known, known, fc.double({ min: 0, max: 1e6, noNaN: true }), (left, right, factor) => {
      expectHolds(addReadings([left.reading, right.reading]), left.truth + right.truth)
      expectHolds(subtractReadings(left.reading, right.reading), left.truth - right.truth)
      expectHolds(scaleReading(left.reading, factor), left.truth * factor)
    }),
  )
})

test('no operation makes a method better: estimated never becomes measured, unavailable never a number', () => {
  fc.assert(
    fc.property(any, any, fc.double({ min: 0, max: 10, noNaN: true }), (left, right, factor) => {
      const worst = Math.max(rank(left.method), rank(right.method))
      expect(rank(addReadings([left, right]).method)).toBe(worst)
      expect(rank(subtractReadings(left, right).method)).toBe(Math.max(worst, rank('derived')))
      expect(scaleReading(left, factor).method).toBe(left.method)
      for (const share of shareReading(left, [1, 2])) {
        expect(rank(share.method)).toBe(Math.max(rank(left.method), rank('derived')))
      }
      for (const result of [
        addReadings([left, right]),
        subtractReadings(left, right),
        scaleReading(left, factor),
      ]) {
        expect(result.joules === null).toBe(result.method === 'unavailable')
      }
    }),
  )
})

test('reasons are never lost', () => {
  fc.assert(
    fc.property(any, any, (left, right) => {
      const expected = [...left.reasons, ...right.reasons]
      expect(addReadings([left, right]).reasons).toEqual(expect.arrayContaining(expected))
      expect(subtractReadings(left, right).reasons).toEqual(expect.arrayContaining(expected))
    }),
  )
})

test('shares add up to the whole', () => {
  const weights = fc
    .array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 })
    .filter((list) => list.some((weight) => weight > 1e-6))
  fc.assert(
    fc.property(known, weights, ({ reading }, list) => {
      const shares = shareReading(reading, list)
      const sum = (side: 'joules' | 'low' | 'high'): number =>
        shares.reduce((total, share) => total + share[side]!, 0)
      for (const side of ['joules', 'low', 'high'] as const) {
        expect(Math.abs(sum(side) - reading[side]!)).toBeLessThanOrEqual(
          1e-9 * Math.abs(reading[side]!) + 1e-300,
        )
      }
      expect(
        shares.every(({ boundary, seconds }) => boundary === 'process' && seconds === reading.seconds),
      ).toBe(true)
    }),
  )
})

test('joining what covers the same domain is refused', () => {
  fc.assert(
    fc.property(known, known, (left, right) => {
      const same = left.reading.domains[0] === right.reading.domains[0]
      const join = (): Reading => joinReadings([left.reading, right.reading])
      if (same) expect(join).toThrow('every domain once')
      else expect(join().seconds).toBe(Math.max(left.reading.seconds, right.reading.seconds))
    }),
  )
})
