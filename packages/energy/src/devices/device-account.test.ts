import { afterEach, expect, test, vi } from 'vitest'
import { PowerAccount } from '../counter/power-account.js'
import { DeviceAccount } from './device-account.js'

afterEach(() => vi.useRealTimers())

function account(domain: string, read: () => number): PowerAccount {
  const sensor = { maxWatts: 100, refreshSeconds: 0.1, averagingSeconds: 0.1, unitWatts: 0.001 }
  const now = (): number => Date.now() / 1000
  return new PowerAccount({ ...sensor, source: 'test', domain, assumptions: [], read }, now)
}

test('sensors are read in the background until the account is closed, and never after', () => {
  vi.useFakeTimers()
  let reads = 0
  const read = (): number => (reads++ % 2 === 0 ? 20 : 22)
  const device = new DeviceAccount([account('a', read)], { reasons: [], sampleSeconds: 0.1 })
  const span = device.startSpan()
  vi.advanceTimersByTime(10_000)
  expect(reads).toBe(101)
  const reading = span.read()
  expect(reading.joules).toBeCloseTo(210, -1)
  expect(reading.coverage).toBeGreaterThan(0.9)
  device.close()
  const before = reads
  vi.advanceTimersByTime(10_000)
  expect(reads).toBe(before)
  expect(vi.getTimerCount()).toBe(0)
})

test('a thousand accounts that are opened and closed leave no timer, and closing twice is no error', () => {
  vi.useFakeTimers()
  for (let index = 0; index < 1000; index++) {
    const device = new DeviceAccount([account('a', () => 1)], { reasons: [], sampleSeconds: 0.05 })
    device.close()
    device.close()
  }
  expect(vi.getTimerCount()).toBe(0)
})

test('one sensor that fails makes the sum unknown, and what was left out at opening is said', () => {
  const fail = (): number => {
    throw new Error('EIO')
  }
  const device = new DeviceAccount([account('a', () => 5), account('b', fail)], {
    reasons: ['c is left out'],
  })
  expect(device.startSpan().read()).toMatchObject({
    joules: null,
    domains: ['a', 'b'],
    reasons: ['c is left out', 'a: integrated from its power', 'b: EIO'],
  })
})
