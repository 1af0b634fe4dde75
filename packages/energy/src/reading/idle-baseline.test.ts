import { expect, test } from 'vitest'
import { calibrateIdle, subtractIdle, type IdleBaseline, type IdleMeter } from './idle-baseline.js'
import { createReading, unavailableReading, type Reading } from './reading.js'

/** A meter over 20 W, ± 1 J of every reading, by the real clock. */
const meter: IdleMeter = {
  begin: () => {
    const start = performance.now()
    return {
      end: () => {
        const seconds = (performance.now() - start) / 1000
        const joules = 20 * seconds
        const bounds = { joules, low: joules - 0.1, high: joules + 0.1 }
        return createReading({
          ...bounds,
          method: 'measured',
          source: 'rapl',
          domains: ['package-0'],
          seconds,
        })
      },
    }
  },
}

const baseline: IdleBaseline = {
  watts: 20,
  low: 18,
  high: 23,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0'],
  seconds: 10,
  calibratedAt: '2026-01-01T00:00:00.000Z',
  busyShare: 0,
  reasons: [],
}

const gross = createReading({
  joules: 100,
  low: 95,
  high: 110,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0'],
  seconds: 2,
})

test('idle power carries the bounds of the meter and the moment when it was taken', async () => {
  const before = Date.now()
  const found = await calibrateIdle({ meter, seconds: 0.2 })
  expect(found).toMatchObject({ method: 'measured', source: 'rapl', domains: ['package-0'] })
  expect(found.watts).toBeCloseTo(20, 6)
  expect(found.low).toBeLessThanOrEqual(20 - 0.1 / found.seconds + 1e-9)
  expect(found.high).toBeGreaterThanOrEqual(20 + 0.1 / found.seconds - 1e-9)
  expect(found.seconds).toBeGreaterThanOrEqual(0.19)
  expect(Date.parse(found.calibratedAt)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(found.calibratedAt)).toBeLessThanOrEqual(Date.now())
})

test('power that wanders widens the bounds', async () => {
  let call = 0
  const wandering: IdleMeter = {
    begin: () => {
      const watts = call++ === 3 ? 35 : 20
      return {
        end: () => createReading({ joules: watts, method: 'measured', source: 'rapl', seconds: 1 }),
      }
    },
  }
  const { watts, low, high } = await calibrateIdle({ meter: wandering, seconds: 0.1 })
  expect([watts, low, high]).toEqual([20, 20, 35])
})

test('a reading tells gross and above idle, with the doubt of both', () => {
  expect(subtractIdle(gross, baseline)).toMatchObject({
    joules: 100,
    low: 95,
    high: 110,
    method: 'measured',
    aboveIdle: { joules: 60, low: 49, high: 74, method: 'derived', calibratedAt: baseline.calibratedAt },
  })
})

test.each<[string, Reading, IdleBaseline]>([
  ['an estimate', createReading({ ...gross, method: 'estimated' }), baseline],
  ['an estimated baseline', gross, { ...baseline, method: 'estimated' }],
])('%s leaves an estimate above idle', (_, reading, idle) => {
  expect(subtractIdle(reading, idle).aboveIdle?.method).toBe('estimated')
})

test('of other domains, or of nothing known, there is no part above idle', () => {
  const both = createReading({ ...gross, domains: ['package-0', 'gpu-0'] })
  expect(subtractIdle(both, baseline)).toMatchObject({
    joules: 100,
    aboveIdle: null,
    reasons: ['idle power is known of package-0, not of package-0, gpu-0'],
  })
  const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  expect(subtractIdle(unknown, baseline)).toEqual(unknown)
})

test('a machine that was busy meanwhile makes every reading say so', () => {
  const reasons = ['the CPUs were 40 % busy while idle power was taken']
  expect(subtractIdle(gross, { ...baseline, reasons }).reasons).toEqual(reasons)
})

test('a busy machine is noticed', async () => {
  const end = performance.now() + 300
  const work = setInterval(() => {
    while (performance.now() < end) Math.hypot(1, 2)
  }, 1)
  try {
    const { busyShare, reasons } = await calibrateIdle({ meter, seconds: 0.3 })
    expect(busyShare).toBeGreaterThan(0)
    expect(reasons.length > 0).toBe(busyShare > 0.05)
  } finally {
    clearInterval(work)
  }
})

test.each([0, -1, Number.NaN, 3601, Infinity])('%d seconds are refused', async (seconds) => {
  await expect(calibrateIdle({ meter, seconds })).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
})

test('a meter that cannot say is refused with its reasons', async () => {
  const reading = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  const blind: IdleMeter = { begin: () => ({ end: () => reading }) }
  await expect(calibrateIdle({ meter: blind, seconds: 0.1 })).rejects.toMatchObject({
    code: 'ERR_BIO_ENERGY_UNKNOWN',
    received: 'EACCES',
  })
})

test('abortion ends it at once with its reason, before and during', async () => {
  const reason = new Error('enough')
  await expect(calibrateIdle({ meter, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), 20)
  await expect(calibrateIdle({ meter, seconds: 60, signal: controller.signal })).rejects.toBe(reason)
})
