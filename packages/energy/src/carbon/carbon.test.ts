import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import { carbonFootprint } from './carbon-footprint.js'
import type { CarbonIntensity } from './carbon-intensity.js'
import { gridIntensity } from './grid-intensity.js'

const location: CarbonIntensity = {
  basis: 'location',
  gramsPerKilowattHour: { low: 300, expected: 350, high: 400 },
  region: 'DE',
  year: 2024,
  source: 'test',
}
const market: CarbonIntensity = { ...location, basis: 'market', gramsPerKilowattHour: 0, region: 'wind farm' }
const reading = (joules: number, low = joules, high = joules): Reading =>
  createReading({
    joules,
    low,
    high,
    method: 'estimated',
    source: 'cpu-time',
    seconds: 1,
    reasons: ['no rapl'],
  })

test('the published yearly average of a zone, with its year, its credit and the spread of the years', async () => {
  expect(await gridIntensity({ region: 'DE', year: 2023 })).toMatchObject({
    basis: 'location',
    gramsPerKilowattHour: { low: 341, expected: 379, high: 475 },
    region: 'DE',
    year: 2023,
    source: expect.stringMatching(/Electricity Maps.*Open Database License/),
  })
  expect((await gridIntensity({ region: 'US-CAL-CISO' })).year).toBe(2025)
})

test.each([
  [{ region: 'DEU' }, /a zone of Electricity Maps: DE, received "DEU"/],
  [{ region: 'us-tx' }, /US, US-CAL-CISO/],
  [{ region: '??' }, /AE, AF, .*ZW, received/],
  [{ region: 5 as never }, /received 5/],
  [{ region: 'toString' }, /zone/],
  [{ region: 'DE', year: 1999 }, /a year of 2021, 2022, 2023, 2024, 2025, received 1999/],
])('%o is refused with what there is', async (options, message) => {
  await expect(gridIntensity(options)).rejects.toMatchObject({ code: 'ERR_BIO_VALUE', message })
})

test('grams hold every truth that energy and intensity allow, by either basis alone', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  const sorted = fc
    .tuple(...Array.from({ length: 3 }, () => fc.double({ min: 0, max: 1e9, noNaN: true })))
    .map((values) => values.toSorted((a, b) => a - b) as [number, number, number])
  fc.assert(
    fc.property(sorted, share, share, ([low, joules, high], of, at) => {
      const footprint = carbonFootprint({ energy: reading(joules, low, high), location, market, pue: 1.5 })
      const truth = ((low + (high - low) * of) / 3.6e6) * 1.5 * (300 + 100 * at)
      const { grams } = footprint.location
      expect(grams!.low).toBeLessThanOrEqual(truth * (1 + 1e-12) + 1e-300)
      expect(grams!.high).toBeGreaterThanOrEqual(truth * (1 - 1e-12) - 1e-300)
      expect(grams!.expected).toBeCloseTo((joules / 3.6e6) * 1.5 * 350, 5)
      expect(footprint.market?.grams).toEqual({ low: 0, expected: 0, high: 0 })
    }),
  )
})

test('grams are as well known as the energy, and unknown when it is', () => {
  expect(carbonFootprint({ energy: reading(1), location })).toMatchObject({
    location: { method: 'estimated', reasons: ['no rapl'], intensity: { year: 2024, source: 'test' } },
    market: null,
  })
  const energy = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  expect(carbonFootprint({ energy, location }).location).toMatchObject({
    grams: null,
    method: 'unavailable',
    reasons: ['EACCES'],
  })
})

test.each<[string, Partial<Parameters<typeof carbonFootprint>[0]>]>([
  ['a market-based intensity in place of the location’s', { location: market }],
  ['the reverse', { market: location }],
  ['no intensity', { location: undefined as never }],
  ['a negative intensity', { location: { ...location, gramsPerKilowattHour: -1 } }],
  ['a year that is none', { location: { ...location, year: Number.NaN } }],
  ['a PUE below 1', { pue: 0.5 }],
  ['negative energy', { energy: reading(-1) }],
])('%s is refused', (_, wrong) => {
  expect(() => carbonFootprint({ energy: reading(1), location, ...wrong })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})
