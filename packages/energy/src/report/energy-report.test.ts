import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  exampleFields,
  exampleRun,
  inferenceEnergy,
  runOf,
  trainingEnergy,
} from '../documents/__fixtures__/example-run.js'
import { createRunRecord } from '../documents/run-record.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import { energyReport } from './energy-report.js'
import { amount, duration } from './html.js'
import { powerChart } from './power-chart.js'

const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
const watts = (joules: number, method: 'measured' | 'estimated' = 'measured', doubt = 0): Reading =>
  createReading({ joules, low: joules - doubt, high: joules + doubt, method, source: 'rapl', seconds: 1 })

test('the page has the method large, the bounds, the reasons, both ways of counting carbon, and the hash', () => {
  const page = energyReport({ run: exampleRun })
  expect(page).toContain('<b>estimated</b><p>between 6.80 MJ and 7.50 MJ')
  expect(page).toContain('<li>no rapl: EACCES</li>')
  expect(page).toMatch(/location-based.*market-based.*not to be added/)
  expect(page).toContain(exampleRun.hash)
})

test('nothing is loaded from elsewhere, and no script runs', () => {
  const page = energyReport({ run: exampleRun })
  expect(page).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|href=|src=|https?:/)
  expect(page).toContain("default-src 'none'")
})

test('a name cannot become markup', () => {
  const evil = `"><script>alert('x')</script>`
  const run = createRunRecord({
    ...exampleFields,
    model: { name: evil, version: evil },
    publisher: evil,
    task: { family: evil, description: evil },
    hardware: [{ kind: evil, name: evil, count: 1 }],
    software: [{ name: evil, version: evil }],
    location: { country: evil, region: evil },
    intensity: { location: { ...exampleFields.intensity!.location, region: evil, source: evil } },
    phases: [
      {
        name: evil,
        stage: 'training',
        energy: {
          ...trainingEnergy,
          source: evil,
          domains: [evil],
          boundary: evil as never,
          reasons: [evil],
        },
      },
    ],
  })
  expect(energyReport({ run })).not.toContain('<script')
})

test('energy that nobody knows is words, not a bar, a line or 0', () => {
  const page = energyReport({ run: runOf([{ name: 'train', stage: 'training', energy: unknown }]) })
  expect(page).toContain('Unknown energy')
  expect(page).toContain('No power is known.')
  expect(page).toContain('unknown: EACCES')
  expect(page).not.toMatch(/class="fill|>0 J|<path class="line/)
})

test('sources are added up over the phases', () => {
  const package0 = createReading({
    joules: 70,
    method: 'measured',
    source: 'rapl',
    domains: ['package-0'],
    seconds: 1,
  })
  const gpu = createReading({
    joules: 30,
    method: 'measured',
    source: 'nvml',
    domains: ['gpu-0'],
    seconds: 1,
  })
  const run = runOf(
    ['first', 'second'].map((name) => ({
      name,
      stage: 'training',
      energy: watts(100),
      bySource: [package0, gpu],
    })),
  )
  const page = energyReport({ run })
  expect(page).toContain('rapl: package-0')
  expect(page).toContain('140 J (140 J to 140 J), measured')
  expect(page).toContain('60.0 J (60.0 J to 60.0 J), measured')
})

test('unknown stretches are gaps, and methods have lines of their own', () => {
  const lines = (readings: readonly Reading[]): number =>
    powerChart(readings).match(/<path class="line/g)?.length ?? 0
  expect(lines([watts(1), watts(2), watts(3)])).toBe(1)
  expect(lines([watts(1), unknown, watts(3)])).toBe(2)
  expect(lines([watts(1), watts(2, 'estimated')])).toBe(2)
  expect(powerChart([watts(10), watts(10, 'measured', 500)])).toContain('Bounds above 30.0 W are cut off.')
})

test('any readings make a chart of finite coordinates inside the picture', () => {
  const reading = fc.oneof(
    fc.constant(unknown),
    fc
      .record({
        joules: fc.double({ min: 0, max: 1e12, noNaN: true }),
        seconds: fc.double({ min: 0, max: 1e6, noNaN: true }),
      })
      .map((fields) => createReading({ ...fields, method: 'estimated', source: 'x' })),
  )
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 1500 }), (readings) => {
      const chart = powerChart(readings)
      expect(chart).not.toMatch(/NaN|Infinity|undefined/)
      for (const [, y] of chart.matchAll(/V(-?[\d.]+)/g)) {
        expect(Number(y)).toBeGreaterThanOrEqual(0)
        expect(Number(y)).toBeLessThanOrEqual(270)
      }
    }),
    {
      numRuns: 40,
      examples: [[[createReading({ joules: 5e-324, seconds: 0.1, method: 'estimated', source: 'x' })]]],
    },
  )
})

test.each([
  [0, '0 J'],
  [7.2e6, '7.20 MJ'],
  [999.9, '1.00 kJ'],
  [0.0015, '1.50 mJ'],
  [1e-12, '0.00100 nJ'],
  [-5, '-5.00 J'],
  [1e21, '1000000 PJ'],
])('%d J is %s', (joules, text) => {
  expect(amount(joules, 'J')).toBe(text)
})

test('long times are told in minutes and hours', () => {
  expect([0, 0.05, 12, 600, 36_060].map((seconds) => duration(seconds))).toEqual([
    '0 s',
    '50.0 ms',
    '12.0 s',
    '10 min',
    '10 h',
  ])
})

test('inference alone has a page too', () => {
  const run = runOf([{ name: 'inference', stage: 'inference', energy: inferenceEnergy }])
  expect(energyReport({ run })).toContain('<span class="name">inference</span>')
})
