import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addReadings, joinReadings, scaleReading, shareReading, subtractReadings } from './arithmetic.js'
import { createReading, unavailableReading, type Method, type Reading } from './reading.js'

const methods: readonly Method[] = ['measured', 'derived', 'estimated', 'unavailable']
const rank = (method: Method): number => methods.indexOf(method)

const joules = fc.double({ min: -1e9, max: 1e9, noNaN: true })

const bounds = fc.tuple(joules, joules, joules, joules).map((values) => values.toSorted((a, b) => a - b))

/** A reading and energies, gross and above idle, that are true for all its bounds tell. */
const known: fc.Arbitrary<{ reading: Reading; truth: number; above: number }> = fc
  .record({
    bounds,
    aboveBounds: bounds,
    calibratedAt: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'),
    truthFirst: fc.boolean(),
    coverage: fc.double({ min: 0, max: 1, noNaN: true }),
    method: fc.constantFrom<Method>('measured', 'derived', 'estimated'),
    domain: fc.constantFrom('package-0', 'gpu-0'),
    seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
  })
  .map(({ bounds: gross, aboveBounds, calibratedAt, truthFirst, domain, ...fields }) => {
    const [low, first, second, high] = gross as [number, number, number, number]
    const [aboveLow, aboveFirst, aboveSecond, aboveHigh] = aboveBounds as [number, number, number, number]
    const method = fields.method === 'estimated' ? 'estimated' : 'derived'
    const reading = createReading({
      ...fields,
      joules: truthFirst ? second : first,
      low,
      high,
      aboveIdle: { joules: aboveFirst, low: aboveLow, high: aboveHigh, method, calibratedAt },
      source: domain,
      domains: [domain],
    })
    return { reading, truth: truthFirst ? first : second, above: aboveSecond }
  })

const unknown = fc
  .constantFrom('EACCES', 'reset')
  .map((reason) => unavailableReading({ source: 'rapl', seconds: 1, reasons: [reason] }))
const any = fc.oneof(
  { weight: 3, arbitrary: known.map(({ reading }) => reading) },
  { weight: 1, arbitrary: unknown },
)

function expectHolds(reading: Reading, truth: number, above: number): void {
  for (const [part, used] of [
    [reading, truth],
    [reading.aboveIdle!, above],
  ] as const) {
    expect(part.low).toBeLessThanOrEqual(used)
    expect(part.high).toBeGreaterThanOrEqual(used)
    expect(part.low).toBeLessThanOrEqual(part.joules!)
    expect(part.high).toBeGreaterThanOrEqual(part.joules!)
  }
}

test('the bounds hold every truth that the operands allow', () => {
  fc.assert(
    fc.property(known, known, fc.double({ min: 0, max: 1e6, noNaN: true }), (left, right, factor) => {
      const pair = [left.reading, right.reading]
      expectHolds(addReadings(pair), left.truth + right.truth, left.above + right.above)
      expectHolds(
        subtractReadings(left.reading, right.reading),
        left.truth - right.truth,
        left.above - right.above,
      )
      expectHolds(scaleReading(left.reading, factor), left.truth * factor, left.above * factor)
      shareReading(left.reading, [1, 3]).forEach((share, index) => {
        const part = index === 0 ? 0.25 : 0.75
        expectHolds(share, left.truth * part, left.above * part)
      })
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

test('the part above idle is no better than its readings, as old as the oldest, and unknown with either', () => {
  fc.assert(
    fc.property(any, any, (left, right) => {
      for (const result of [addReadings([left, right]), subtractReadings(left, right)]) {
        if (left.aboveIdle === null || right.aboveIdle === null) {
          expect(result.aboveIdle).toBeNull()
          continue
        }
        const worst = [left, right].some(({ method }) => method === 'estimated') ? 'estimated' : 'derived'
        expect(result.aboveIdle!.method).toBe(worst)
        const times = [left.aboveIdle.calibratedAt, right.aboveIdle.calibratedAt]
        expect(result.aboveIdle!.calibratedAt).toBe(times.toSorted()[0])
      }
    }),
  )
})

test('coverage stays a share, and no sum is covered better than its best part', () => {
  fc.assert(
    fc.property(any, any, (left, right) => {
      const best = Math.max(left.coverage, right.coverage)
      for (const result of [addReadings([left, right]), subtractReadings(left, right)]) {
        expect(result.coverage).toBeGreaterThanOrEqual(0)
        expect(result.coverage).toBeLessThanOrEqual(left.seconds + right.seconds > 0 ? best + 1e-12 : 1)
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
