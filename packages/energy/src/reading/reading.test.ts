import { expect, test } from 'vitest'
import { addReadings, joinReadings, scaleReading, shareReading, subtractReadings } from './arithmetic.js'
import { formatReading } from './format-reading.js'
import { createReading, unavailableReading, type Reading } from './reading.js'

const gpu = createReading({
  joules: 40,
  low: 36,
  high: 44,
  method: 'measured',
  source: 'nvml',
  domains: ['gpu-0'],
  seconds: 2,
})
const cpu = createReading({
  joules: 10,
  low: 3,
  high: 30,
  method: 'estimated',
  source: 'cpu-time',
  domains: ['cpu'],
  seconds: 2,
})
const nothing = unavailableReading({
  source: 'rapl',
  domains: ['package-0'],
  seconds: 2,
  reasons: ['EACCES'],
})
const aboveIdle = {
  joules: 30,
  low: 25,
  high: 35,
  method: 'derived',
  calibratedAt: '2026-01-01T00:00:00.000Z',
} as const

test('a GPU measured beside a CPU estimated is an estimate of both', () => {
  expect(joinReadings([gpu, cpu])).toMatchObject({
    joules: 50,
    low: 39,
    high: 74,
    method: 'estimated',
    source: 'nvml + cpu-time',
    domains: ['gpu-0', 'cpu'],
    seconds: 2,
  })
})

test('readings one after another add their seconds and keep their domains once', () => {
  expect(addReadings([gpu, gpu])).toMatchObject({
    joules: 80,
    seconds: 4,
    domains: ['gpu-0'],
    source: 'nvml',
  })
})

test('a sum with something unknown is unknown, and says why', () => {
  expect(addReadings([gpu, nothing])).toMatchObject({
    joules: null,
    method: 'unavailable',
    reasons: ['EACCES'],
  })
  expect(subtractReadings(nothing, gpu)).toMatchObject({ joules: null, reasons: ['EACCES'] })
  expect(subtractReadings(gpu, nothing)).toMatchObject({ joules: null, reasons: ['EACCES'] })
  expect(shareReading(nothing, [1, 1])).toMatchObject([{ joules: null }, { joules: null }])
})

test('unless said otherwise a reading is covered whole and has no part above idle; of nothing, nothing is covered', () => {
  expect(gpu).toMatchObject({ coverage: 1, aboveIdle: null })
  expect(nothing).toMatchObject({ coverage: 0, aboveIdle: null })
})

test('coverage of a sequence is weighted by time, of hardware side by side that of the worst', () => {
  const brief = createReading({ ...gpu, seconds: 6, domains: ['gpu-1'], coverage: 0.2 })
  expect(addReadings([gpu, brief]).coverage).toBeCloseTo((2 + 0.2 * 6) / 8, 12)
  expect(joinReadings([gpu, brief]).coverage).toBe(0.2)
})

test('a sum over boundaries takes the narrowest and says so', () => {
  const share = shareReading(cpu, [1])[0]!
  expect(joinReadings([gpu, share])).toMatchObject({
    boundary: 'process',
    reasons: ['a sum over boundaries: device, process'],
  })
})

test.each<[string, () => unknown]>([
  ['NaN joules', () => createReading({ joules: Number.NaN, method: 'measured', source: 'x', seconds: 1 })],
  ['infinite joules', () => createReading({ joules: Infinity, method: 'measured', source: 'x', seconds: 1 })],
  [
    'joules outside the bounds',
    () => createReading({ joules: 1, low: 2, high: 3, method: 'measured', source: 'x', seconds: 1 }),
  ],
  [
    'bounds without joules',
    () => createReading({ low: 1, high: 2, method: 'estimated', source: 'x', seconds: 1 }),
  ],
  ['joules of nobody', () => createReading({ joules: 1, method: 'unavailable', source: 'x', seconds: 1 })],
  ['measured nothing', () => createReading({ method: 'measured', source: 'x', seconds: 1 })],
  ['negative seconds', () => createReading({ joules: 1, method: 'measured', source: 'x', seconds: -1 })],
  [
    'a coverage above 1',
    () => createReading({ joules: 1, method: 'measured', source: 'x', seconds: 1, coverage: 1.1 }),
  ],
  ['a part above idle of nothing', () => createReading({ ...nothing, aboveIdle })],
  [
    'a part above idle outside its bounds',
    () => createReading({ ...gpu, aboveIdle: { ...aboveIdle, low: 31 } }),
  ],
  [
    'an idle power of no date',
    () => createReading({ ...gpu, aboveIdle: { ...aboveIdle, calibratedAt: 'yesterday' } }),
  ],
  ['a negative factor', () => scaleReading(gpu, -1)],
  ['a NaN factor', () => scaleReading(gpu, Number.NaN)],
  ['a product beyond numbers', () => scaleReading(scaleReading(gpu, 1e300), 1e300)],
  ['no weights', () => shareReading(gpu, [])],
  ['weights of 0', () => shareReading(gpu, [0, 0])],
  ['a negative weight', () => shareReading(gpu, [1, -1])],
  ['an infinite weight', () => shareReading(gpu, [1, Infinity])],
  ['weights beyond numbers', () => shareReading(gpu, [1e308, 1e308])],
  ['a sum of nothing', () => addReadings([])],
  ['a join of nothing', () => joinReadings([])],
])('%s is refused', (_, act) => {
  expect(act).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test.each<[Partial<Reading>, string]>([
  [{ joules: 0.001234, low: 0.001, high: 0.0015 }, '0.00123 J (0.00100 to 0.00150, measured by x)'],
  [{ joules: 12_345, low: 9876, high: 2e9 }, '12345 J (9876 to 2.00e+9, measured by x)'],
  [{ joules: 0, low: -0.5, high: 1e-7 }, '0 J (-0.500 to 1.00e-7, measured by x)'],
])('%o reads as text', (fields, text) => {
  expect(formatReading(createReading({ method: 'measured', source: 'x', seconds: 1, ...fields }))).toBe(text)
})

test('an unknown reads as unknown', () => {
  expect(formatReading(nothing)).toBe('unknown energy (EACCES)')
})
