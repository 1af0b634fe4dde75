import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  fitBand,
  logErrors,
  machines,
  mean,
  points,
  pointsOf,
  type ProfilePoint,
} from './__fixtures__/power-profiles.js'
import {
  calibratedCurve,
  estimateJoules,
  generalCurve,
  powerBand,
  sharedCurve,
  type PowerCurve,
} from './power-curve.js'

const share = (of: readonly ProfilePoint[], holds: (point: ProfilePoint) => boolean): number =>
  of.filter(holds).length / of.length

const within = (curve: PowerCurve, { cpus, load, watts }: ProfilePoint): boolean =>
  curve.low(load) * cpus <= watts && watts <= curve.high(load) * cpus

test('the public profiles are four machines and 86 points', () => {
  expect(machines).toHaveLength(4)
  expect(points).toHaveLength(86)
})

test.each(machines)('a band fitted to the other three machines holds nine in ten points of %s', (machine) => {
  const band = fitBand(machines.filter((other) => other !== machine))
  const errors = logErrors(pointsOf(machine), band)
  const held = errors.filter((error) => Math.abs(error) <= Math.log(band.factor)).length / errors.length
  expect(held).toBeGreaterThanOrEqual(0.9)
})

test('on a machine that the fit had not seen the likely power is off by 36 % on average', () => {
  const errors = machines.map((machine) => {
    const band = fitBand(machines.filter((other) => other !== machine))
    return mean(logErrors(pointsOf(machine), band).map((error) => Math.abs(Math.exp(-error) - 1)))
  })
  expect(mean(errors)).toBeCloseTo(0.36, 2)
})

test('the published band is that of the same method over all four machines, and holds every point', () => {
  const { idle, busy, factor } = fitBand(machines)
  const rounded = { idle: powerBand.idle.likely, busy: powerBand.busy.likely }
  expect(rounded.idle / idle).toBeCloseTo(1, 1)
  expect(rounded.busy / busy).toBeCloseTo(1, 1)
  for (const range of [powerBand.idle, powerBand.busy]) {
    expect(range.high / range.likely / factor).toBeCloseTo(1, 1)
    expect(range.likely / range.low / factor).toBeCloseTo(1, 1)
  }
  expect(share(points, (point) => within(generalCurve, point))).toBe(1)
})

/** The curve of a machine from its own idle and full power. */
function calibrate(machine: string): PowerCurve {
  const own = pointsOf(machine)
  const least = Math.min(...own.map(({ load }) => load))
  const watts = (of: readonly ProfilePoint[]): number => mean(of.map((point) => point.watts))
  const idleWatts = watts(own.filter(({ load }) => load <= least + 0.03))
  const busyWatts = watts(own.filter(({ load }) => load >= 0.99))
  return calibratedCurve({ idleWatts, busyWatts }, own[0]!.cpus)
}

test.each(machines)(
  'calibrated by its own idle and full power, the band of %s holds nine in ten points',
  (machine) => {
    const curve = calibrate(machine)
    expect(share(pointsOf(machine), (point) => within(curve, point))).toBeGreaterThanOrEqual(0.9)
  },
)

test('calibration by two points brings the mean error to 22 % and the median width from 15 times to under 4 times', () => {
  const errors: number[] = []
  const widths: number[] = []
  for (const machine of machines) {
    const curve = calibrate(machine)
    for (const { cpus, load, watts } of pointsOf(machine)) {
      errors.push(Math.abs(curve.likely(load) * cpus - watts) / watts)
      widths.push(curve.high(load) / curve.low(load))
    }
  }
  expect(mean(errors)).toBeCloseTo(0.22, 2)
  const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
  expect(median(widths)).toBeLessThan(4)
  expect(median(points.map(({ load }) => generalCurve.high(load) / generalCurve.low(load)))).toBeCloseTo(
    15,
    0,
  )
})

const curves = [generalCurve, calibratedCurve({ idleWatts: 20, busyWatts: 90 }, 8), calibrate(machines[0]!)]

test('low ≤ likely ≤ high at every load, and more load never means less power', () => {
  const loads = fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...curves, ...curves.map(sharedCurve)), loads, (curve, pair) => {
      const [less, more] = pair.toSorted((a, b) => a - b) as [number, number]
      expect(curve.low(less)).toBeLessThanOrEqual(curve.likely(less) + 1e-12)
      expect(curve.likely(less)).toBeLessThanOrEqual(curve.high(less) + 1e-12)
      for (const side of ['low', 'likely', 'high'] as const) {
        expect(curve[side](more)).toBeGreaterThanOrEqual(curve[side](less) - 1e-12)
      }
    }),
  )
})

test('a load that varies within the window stays within the bounds of its mean', () => {
  const parts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.constantFrom(...curves), parts, (curve, loads) => {
      const average = mean(loads)
      expect(mean(loads.map(curve.low))).toBeGreaterThanOrEqual(curve.low(average) - 1e-9)
      expect(mean(loads.map(curve.high))).toBeLessThanOrEqual(curve.high(average) + 1e-9)
    }),
  )
})

test('stolen time costs nothing for sure and at most what the CPUs could have drawn', () => {
  const busy = { low: 2, likely: 2, high: 2 }
  const { low, likely, high } = estimateJoules({ available: 10, stolen: 4, busy }, generalCurve)
  expect(likely).toBeCloseTo(6 * generalCurve.likely(1 / 3), 9)
  expect(low).toBeCloseTo(6 * generalCurve.low(1 / 3), 9)
  expect(high).toBeCloseTo(10 * generalCurve.high(0.2), 9)
})
