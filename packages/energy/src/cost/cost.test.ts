import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading, unavailableReading } from '../reading/reading.js'
import { breakEven } from './break-even.js'
import { annualCost } from './annual-cost.js'
import { costPerMillionTokens, type TokenCostOptions } from './token-cost.js'

const perToken = createReading({
  joules: 0.1,
  low: 0.05,
  high: 0.4,
  method: 'estimated',
  source: 'cpu-time',
  seconds: 1,
  reasons: ['no rapl'],
})
const rented: TokenCostOptions = {
  hardware: { dollarsPerHour: 2, includesElectricity: false },
  tokensPerSecond: 1000,
  energyPerToken: perToken,
  dollarsPerKilowattHour: 0.1,
}

test('hardware and electricity follow the formula', () => {
  const cost = costPerMillionTokens({ ...rented, utilisation: 0.5, pue: 1.2 })
  expect(cost.hardware).toBeCloseTo((2 / (1000 * 3600 * 0.5)) * 1e6, 12)
  expect(cost.electricity?.expected).toBeCloseTo(((0.1 * 1e6) / 3.6e6) * 1.2 * 0.1, 12)
  expect(cost.total?.high).toBeCloseTo(cost.hardware + cost.electricity!.high, 12)
  expect(cost).toMatchObject({ method: 'estimated', reasons: ['no rapl'] })
})

test('a fifth of the utilisation costs five times the hardware and the same electricity', () => {
  const [full, fifth] = [1, 0.2].map((utilisation) => costPerMillionTokens({ ...rented, utilisation })) as [
    ReturnType<typeof costPerMillionTokens>,
    ReturnType<typeof costPerMillionTokens>,
  ]
  expect(fifth.hardware).toBeCloseTo(5 * full.hardware, 12)
  expect(fifth.electricity).toEqual(full.electricity)
})

test('hardware bought is written off over its life', () => {
  const { hardware } = costPerMillionTokens({
    ...rented,
    hardware: { price: 8766 * 5, lifeYears: 4, residual: 8766 },
  })
  expect(hardware).toBeCloseTo(1 / 3.6, 12) // one dollar per hour
})

test('a rate that includes electricity pays it once', () => {
  const { dollarsPerKilowattHour: _, ...rest } = rented
  const cost = costPerMillionTokens({ ...rest, hardware: { dollarsPerHour: 2, includesElectricity: true } })
  expect(cost.electricity).toEqual({ low: 0, expected: 0, high: 0 })
  expect(cost.total?.expected).toBe(cost.hardware)
})

test('energy that nobody knows makes the total unknown, not zero', () => {
  const energyPerToken = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  const cost = costPerMillionTokens({ ...rented, energyPerToken })
  expect(cost).toMatchObject({ electricity: null, total: null, method: 'unavailable', reasons: ['EACCES'] })
  expect(cost.hardware).toBeGreaterThan(0)
})

test('the article’s cent for a million requests a day is 3.65 million dollars a year', () => {
  expect(annualCost(0.01, { unitsPerDay: 1e6 })).toEqual({
    low: 3_650_000,
    expected: 3_650_000,
    high: 3_650_000,
  })
})

test('break-even is the one-off cost over the daily saving, with its extremes', () => {
  const { savingPerDay, days } = breakEven({
    before: { low: 9, expected: 10, high: 11 },
    after: { low: 4, expected: 5, high: 7 },
    unitsPerDay: 100,
    oneOffCost: { low: 1400, expected: 5000, high: 8000 },
  })
  expect(savingPerDay).toEqual({ low: 200, expected: 500, high: 700 })
  expect(days).toEqual({ best: 2, expected: 10, worst: 40 })
})

test('a change that saves nothing is never paid back, unless it was free', () => {
  const never = breakEven({ before: 1, after: 2, unitsPerDay: 10, oneOffCost: 0 })
  expect(never.days).toEqual({ best: 'never', expected: 'never', worst: 'never' })
  expect(breakEven({ before: 1, after: 1, unitsPerDay: 10, oneOffCost: 5 }).days.expected).toBe('never')
  expect(breakEven({ before: 1, after: 1, unitsPerDay: 10, oneOffCost: 0 }).days.expected).toBe(0)
  expect(breakEven({ before: 2, after: 1, unitsPerDay: 0, oneOffCost: 5 }).days.expected).toBe('never')
})

const day = (value: number | 'never'): number => (value === 'never' ? Infinity : value)

test('every outcome within the ranges breaks even between best and worst', () => {
  const amount = fc.double({ min: 0, max: 1e6, noNaN: true })
  const range = fc.tuple(amount, amount, amount).map((values) => {
    const [low, expected, high] = values.toSorted((a, b) => a - b) as [number, number, number]
    return { low, expected, high }
  })
  fc.assert(
    fc.property(range, range, range, amount, (before, after, oneOffCost, unitsPerDay) => {
      const { days } = breakEven({ before, after, oneOffCost, unitsPerDay })
      expect(day(days.best)).toBeLessThanOrEqual(day(days.expected))
      expect(day(days.expected)).toBeLessThanOrEqual(day(days.worst))
    }),
  )
})

test.each<[string, Partial<TokenCostOptions>]>([
  ['a rate of 0 tokens', { tokensPerSecond: 0 }],
  ['NaN tokens', { tokensPerSecond: Number.NaN }],
  ['a utilisation of 0', { utilisation: 0 }],
  ['a utilisation in percent', { utilisation: 60 }],
  ['a PUE below 1', { pue: 0.9 }],
  ['a negative price of power', { dollarsPerKilowattHour: -1 }],
  ['a negative hourly rate', { hardware: { dollarsPerHour: -2, includesElectricity: true } }],
  ['a life of 0', { hardware: { price: 1, lifeYears: 0 } }],
  ['a residual above the price', { hardware: { price: 1, lifeYears: 1, residual: 2 } }],
  [
    'negative energy',
    { energyPerToken: createReading({ joules: -1, method: 'derived', source: 'rapl', seconds: 1 }) },
  ],
])('%s is refused', (_, wrong) => {
  expect(() => costPerMillionTokens({ ...rented, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})

test('electricity paid apart needs its price', () => {
  const { dollarsPerKilowattHour: _, ...rest } = rented
  expect(() => costPerMillionTokens(rest)).toThrow('dollarsPerKilowattHour where electricity is paid apart')
})

test.each<[string, () => unknown]>([
  ['a range out of order', () => annualCost({ low: 2, expected: 1, high: 3 }, { unitsPerDay: 1 })],
  ['a negative cost', () => annualCost(-1, { unitsPerDay: 1 })],
  ['infinite units', () => annualCost(1, { unitsPerDay: Infinity })],
  ['NaN before', () => breakEven({ before: Number.NaN, after: 1, unitsPerDay: 1, oneOffCost: 1 })],
  ['null', () => breakEven({ before: null as never, after: 1, unitsPerDay: 1, oneOffCost: 1 })],
])('%s is refused', (_, act) => {
  expect(act).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
