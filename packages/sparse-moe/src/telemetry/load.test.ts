import fc from 'fast-check'
import { expect, test } from 'vitest'
import { measureLoad } from './load.js'
import { LoadMeter } from './load-meter.js'

test.each([
  { counts: [2, 2, 2, 2], load: [0.25, 0.25, 0.25, 0.25], maxViolation: 0, deadExperts: 0 },
  { counts: [4, 2, 2, 0], load: [0.5, 0.25, 0.25, 0], maxViolation: 1, deadExperts: 1 },
  { counts: [0, 0, 5, 0], load: [0, 0, 1, 0], maxViolation: 3, deadExperts: 3 },
  { counts: [0, 0], load: [0, 0], maxViolation: 0, deadExperts: 2 },
])('the load of $counts', ({ counts, ...expected }) => {
  const { load, ...rest } = measureLoad(counts)
  expect({ load: [...load], ...rest }).toEqual(expected)
})

const sum = (steps: number[][]): number[] =>
  [0, 1, 2].map((e) => steps.reduce((n, counts) => n + counts[e]!, 0))
const step = fc.array(fc.nat(1000), { minLength: 3, maxLength: 3 })

test('the meter holds the sum of the last additions, exactly', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 8 }), (steps, window) => {
      const [all, recent] = [new LoadMeter({ experts: 3 }), new LoadMeter({ experts: 3, window })]
      for (const counts of steps) [all, recent].forEach((meter) => meter.add(counts))
      expect([...all.counts]).toEqual(sum(steps))
      expect([...recent.counts]).toEqual(sum(steps.slice(-window)))
      expect(recent.maxViolation).toBe(measureLoad(sum(steps.slice(-window))).maxViolation)
    }),
  )
})

test('reset forgets', () => {
  const meter = new LoadMeter({ experts: 2, window: 2 })
  for (const counts of [
    [1, 0],
    [2, 0],
    [3, 0],
  ])
    meter.add(counts)
  expect(meter.deadExperts).toBe(1)
  meter.reset()
  meter.add([0, 7])
  expect([...meter.load]).toEqual([0, 1])
})

test('what is no count is refused and changes nothing', () => {
  const meter = new LoadMeter({ experts: 2 })
  expect(() => meter.add([1])).toThrowError(expect.objectContaining({ code: 'ERR_BIO_SHAPE' }))
  for (const counts of [
    [1, NaN],
    [1, -1],
    [1, 0.5],
  ]) {
    expect(() => meter.add(counts)).toThrowError(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
  }
  expect([...meter.counts]).toEqual([0, 0])
  expect(() => new LoadMeter({ experts: 0 })).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
  expect(() => new LoadMeter({ experts: 2, window: 0.5 })).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_CONFIG' }),
  )
})
