import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { EnergySource } from '../source.js'
import { SteadySource } from './__fixtures__/steady-source.js'
import { EnergyMeter } from './energy-meter.js'

const meterOf = (source: EnergySource, sampleSeconds = 1): Promise<EnergyMeter> =>
  EnergyMeter.open({ sources: [source], sampleSeconds })
const spent = expect.objectContaining({ code: 'ERR_BIO_ENERGY_BUDGET' })

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** Lets the timers and the source's clock pass together. */
function pass(source: SteadySource, seconds: number): void {
  source.time += seconds
  vi.advanceTimersByTime(seconds * 1000)
}

test('the signal aborts at the first sample after the crossing, and says what was used', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source)
  const budget = meter.budget({ joules: 25 })
  for (let second = 1; second <= 2; second++) pass(source, 1)
  expect(budget.signal.aborted).toBe(false)
  pass(source, 1)
  expect(budget.signal.reason).toEqual(spent)
  expect(budget.signal.reason.message).toContain('30.0 J (30.0 to 30.0, measured by rapl)')
  expect(budget.spent().joules).toBe(30)
})

test('whatever the power, no more than period · P_max is used beyond the budget', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 200, noNaN: true }), { minLength: 20, maxLength: 60 }),
      fc.double({ min: 1, max: 2000, noNaN: true }),
      fc.constantFrom(0.1, 0.5, 2),
      async (watts, joules, period) => {
        const source = new SteadySource('rapl', 'cpu', 1)
        await using meter = await meterOf(source, period)
        const budget = meter.budget({ joules })
        for (const power of watts) {
          if (budget.signal.aborted) break
          // A tenth of a second at this power; the source of 1 W has its clock run `power` times as fast.
          source.time += power * 0.1
          vi.advanceTimersByTime(100)
        }
        const used = budget.spent().joules!
        const most = Math.max(...watts)
        expect(used).toBeLessThanOrEqual(joules + most * Math.max(period, 0.1) + 1e-9)
        if (used < joules) expect(budget.signal.aborted).toBe(false)
      },
    ),
    { numRuns: 50 },
  ))

test('it counts what a window has counted before it', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source)
  const window = meter.begin()
  source.time = 4
  const budget = meter.budget({ joules: 45, window })
  expect(budget.spent().joules).toBe(40)
  pass(source, 1)
  expect(budget.signal.aborted).toBe(true)
})

test('a window that has used it up aborts at once', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source)
  const window = meter.begin()
  source.time = 4
  expect(meter.budget({ joules: 40, window }).signal.reason).toEqual(spent)
})

test('measure stops between two calls, though the loop never yields', async () => {
  vi.useRealTimers()
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source, 0.001)
  using budget = meter.budget({ joules: 100 })
  let calls = 0
  const call = (): void => {
    calls += 1
    source.time += 1
    const until = performance.now() + 1.5
    while (performance.now() < until) Math.hypot(1, 2)
  }
  await expect(meter.measure(call, { repeat: 1000, signal: budget.signal })).rejects.toEqual(spent)
  expect(calls).toBeLessThanOrEqual(11)
})

test('a training loop that never yields is stopped by its step log, and by check', async () => {
  vi.useRealTimers()
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source, 0.001)
  using budget = meter.budget({ joules: 30 })
  const log = meter.perStep()
  let steps = 0
  while (!budget.signal.aborted && steps < 100) {
    source.time += 1
    const until = performance.now() + 1.5
    while (performance.now() < until) Math.hypot(1, 2)
    log.step()
    steps += 1
  }
  expect(steps).toBe(3)

  using second = meter.budget({ joules: 30 })
  second.check()
  source.time += 3
  expect(() => second.check()).toThrow(spent)
})

test('a budget that was disposed of never aborts', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source)
  const budget = meter.budget({ joules: 5 })
  budget[Symbol.dispose]()
  pass(source, 3)
  expect(budget.signal.aborted).toBe(false)
  await meter.close()
  expect(budget.signal.aborted).toBe(false)
})

test('closing the meter aborts what it can watch no longer', async () => {
  const meter = await meterOf(new SteadySource('rapl', 'cpu', 10))
  const budget = meter.budget({ joules: 5 })
  await meter.close()
  expect(budget.signal.reason).toMatchObject({ code: 'ERR_BIO_CLOSED' })
  expect(() => meter.budget({ joules: 5 })).toThrow(expect.objectContaining({ code: 'ERR_BIO_CLOSED' }))
})

test('energy that stays unknown for two checks aborts; one failed read does not', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await meterOf(source)
  const budget = meter.budget({ joules: 1000 })
  source.fail = 'EINVAL'
  pass(source, 1)
  source.fail = undefined
  pass(source, 1)
  source.fail = 'EIO'
  pass(source, 1)
  expect(budget.signal.aborted).toBe(false)
  pass(source, 1)
  expect(budget.signal.reason).toMatchObject({
    code: 'ERR_BIO_ENERGY_UNKNOWN',
    received: 'unknown energy (EIO)',
  })
})

test('a budget over energy that nobody counts is refused', async () => {
  await using meter = await EnergyMeter.open({ sources: [] })
  expect(() => meter.budget({ joules: 1 })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_ENERGY_UNKNOWN' }),
  )
})

test.each([0, -1, Number.NaN, Infinity, '5' as never])('a budget of %s J is refused', async (joules) => {
  await using meter = await meterOf(new SteadySource('rapl', 'cpu', 10))
  expect(() => meter.budget({ joules })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
