import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PowerAccount, type PowerDevice } from './power-account.js'
import { integratePower, type PowerSensor } from './power-integral.js'

const sensor: PowerSensor = { maxWatts: 100, refreshSeconds: 0.1, averagingSeconds: 0.1, unitWatts: 0 }

/** A power that tests set, and a clock that they move. */
class FakeDevice {
  time = 0
  watts: number | string = 50
  readonly account: PowerAccount

  constructor(fields: Partial<PowerDevice> = {}) {
    const read = (): number => {
      if (typeof this.watts === 'string') throw new Error(this.watts)
      return this.watts
    }
    const device = { ...sensor, source: 'hwmon', domain: 'gpu-0', assumptions: [], read, ...fields }
    this.account = new PowerAccount(device, () => this.time)
  }

  pass(seconds: number, period = 0.1): void {
    for (let step = Math.round(seconds / period); step > 0; step--) {
      this.time += period
      this.account.sample()
    }
  }
}

test('averages that join without a gap give the energy exactly', () => {
  const points = [20, 40, 60].map((watts, index) => ({ watts, from: index + 1, to: index + 1 }))
  const exact = integratePower(points, { from: 0, to: 3 }, { ...sensor, averagingSeconds: 1 })
  expect(exact.low).toBeCloseTo(120, 9)
  expect(exact.high).toBeCloseTo(120, 9)
  expect(exact.seenSeconds).toBeCloseTo(3, 9)
})

test('overlapping averages telescope: those a whole averaging apart count, the others narrow the rest', () => {
  // power 80 W in even half seconds, 0 W in odd ones, seen as averages of 1 s every 0.5 s: always 40 W
  const points = Array.from({ length: 9 }, (_, index) => ({ watts: 40, from: index / 2, to: index / 2 }))
  const { low, high } = integratePower(points, { from: 0, to: 4 }, { ...sensor, averagingSeconds: 1 })
  expect([low, high]).toEqual([expect.closeTo(160, 9), expect.closeTo(160, 9)])
  const half = integratePower(points, { from: 0, to: 3.5 }, { ...sensor, averagingSeconds: 1 })
  // the half second beyond three whole averages may hold all of 40 J or none
  expect([half.low, half.high]).toEqual([expect.closeTo(120, 9), expect.closeTo(160, 9)])
})

test('what no value averages over may be anything between nothing and the most that the hardware draws', () => {
  const points = [{ watts: 60, from: 1, to: 1 }]
  const { low, high, seenSeconds } = integratePower(
    points,
    { from: 0, to: 4 },
    { ...sensor, averagingSeconds: 0.25 },
  )
  expect(low).toBeCloseTo(15, 9)
  expect(high).toBeCloseTo(15 + 375, 9)
  expect(seenSeconds).toBeCloseTo(0.25, 9)
})

test('without any value the bounds are those of physics', () => {
  expect(integratePower([], { from: 0, to: 2 }, sensor)).toMatchObject({ low: 0, high: 200, seenSeconds: 0 })
})

test('more values never widen the bounds', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          watts: fc.double({ min: 0, max: 100, noNaN: true }),
          gap: fc.double({ min: 0.05, max: 1, noNaN: true }),
        }),
        { minLength: 1, maxLength: 20 },
      ),
      fc.nat(),
      (values, left) => {
        let time = 0
        const points = values.map(({ watts, gap }) => ({ watts, from: (time += gap), to: time + 0.01 }))
        const stretch = { from: 0.3, to: 5 }
        const all = integratePower(points, stretch, sensor)
        const fewer = integratePower(points.toSpliced(left % points.length, 1), stretch, sensor)
        expect(all.high).toBeLessThanOrEqual(fewer.high + 1e-9)
        expect(all.low).toBeGreaterThanOrEqual(fewer.low - 1e-9)
      },
    ),
  )
})

test('a steady power is derived, within its refresh, however many values the window holds', () => {
  const device = new FakeDevice({ unitWatts: 0.01 })
  device.pass(1)
  const span = device.account.startSpan()
  device.pass(600) // 6,000 values: several blocks
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'derived',
    source: 'hwmon',
    domains: ['gpu-0'],
    seconds: expect.closeTo(600, 6),
    samples: 6002,
  })
  expect(reading.joules).toBeCloseTo(30_000, 0)
  expect(reading.low).toBeLessThanOrEqual(30_000)
  expect(reading.high).toBeGreaterThanOrEqual(30_000)
  expect(reading.coverage).toBeGreaterThan(0.99)
})

test('windows nest and overlap across blocks', () => {
  const device = new FakeDevice()
  const outer = device.account.startSpan()
  device.pass(150)
  const inner = device.account.startSpan()
  device.pass(50)
  device.watts = 90
  device.pass(100)
  expect(inner.read().joules).toBeCloseTo(50 * 50 + 100 * 90, -2)
  expect(outer.read().joules).toBeCloseTo(200 * 50 + 100 * 90, -2)
  expect(outer.read().seconds).toBeCloseTo(300, 6)
})

test('time in which nobody read the sensor widens the bounds and lowers the coverage', () => {
  const device = new FakeDevice()
  device.pass(1)
  const span = device.account.startSpan()
  device.pass(5)
  device.time += 5
  device.pass(0.1)
  const { low, high, coverage, joules } = span.read()
  expect(coverage).toBeCloseTo(0.5, 1)
  expect(high! - low!).toBeGreaterThan(4.8 * 100)
  expect(joules).toBeCloseTo(50 * 10, -2)
})

test('an assumption about the sensor makes its readings estimated and is said', () => {
  const device = new FakeDevice({ assumptions: ['its averaging is documented nowhere'] })
  const span = device.account.startSpan()
  device.pass(1)
  expect(span.read()).toMatchObject({
    method: 'estimated',
    reasons: ['gpu-0: integrated from its power', 'gpu-0: its averaging is documented nowhere'],
  })
})

test('the power of moments bounds nothing between them: an estimate, between nothing and the most', () => {
  const device = new FakeDevice({ averagingSeconds: 0 })
  const span = device.account.startSpan()
  device.pass(10)
  const reading = span.read()
  expect(reading).toMatchObject({ method: 'estimated', coverage: 0, low: expect.closeTo(0, 9) })
  expect(reading.high).toBeCloseTo(1000, 6)
  expect(reading.joules).toBeCloseTo(500, 6)
  expect(reading.reasons.join()).toContain('the power of moments')
})

test('values that no power can have shown are an estimate, and said to be', () => {
  const device = new FakeDevice({ averagingSeconds: 10, refreshSeconds: 0.001 })
  device.pass(1)
  const span = device.account.startSpan()
  device.pass(20)
  device.watts = 100 // an average of 10 s does not jump
  device.pass(10)
  const reading = span.read()
  expect(reading.method).toBe('estimated')
  expect(reading.reasons.join()).toContain('contradict')
})

test.each<[string, number | string, RegExp]>([
  ['NaN', Number.NaN, /shows NaN W/],
  ['a negative power', -1, /shows -1 W/],
  ['the sentinel of 2³² − 1 mW', 4_294_967.295, /shows 4294967.295 W, and 0 to 100 W are plausible/],
  ['an error', 'EIO', /EIO/],
])('%s at the end makes the window unavailable; between good values it is a gap', (_, watts, reason) => {
  const device = new FakeDevice()
  const span = device.account.startSpan()
  device.pass(1)
  device.watts = watts
  device.pass(1)
  expect(span.read()).toMatchObject({ joules: null, method: 'unavailable' })
  expect(span.read().reasons.join()).toMatch(reason)
  device.watts = 50
  device.pass(1)
  const { low, high } = span.read()
  expect(low).toBeLessThanOrEqual(150)
  expect(high).toBeGreaterThanOrEqual(150)
  expect(high! - low!).toBeGreaterThan(90)
})

test('a sensor that failed when the window began, or was never read, is unavailable', () => {
  const device = new FakeDevice()
  device.watts = 'EACCES'
  const span = device.account.startSpan()
  device.watts = 50
  device.pass(1)
  expect(span.read().reasons).toEqual(['gpu-0: EACCES'])
  const { read: _, ...unread } = device.account.device
  const silent = new PowerAccount(unread, () => 0)
  expect(silent.startSpan().read().reasons).toEqual(['gpu-0: the sensor was never read'])
})
