import { expect, test } from 'vitest'
import { accountOf, FakeTree, pass, systemError } from './__fixtures__/fake-tree.js'
import { batterySource } from './battery-source.js'

const folder = '/sys/class/power_supply/BAT0'
const battery = { type: 'Battery', status: 'Discharging', present: 1 }
const source = (files: FakeTree): ReturnType<typeof batterySource> =>
  batterySource({ files, now: () => files.time })

/** µWh of so many joules. */
const microwattHours = (joules: number): number => Math.round(joules / 3600e-6)

test('a battery that tells its energy in coarse steps, late, still holds the truth within its bounds', async () => {
  const tree = new FakeTree().set(folder, { ...battery, energy_now: microwattHours(100_000) })
  const account = await accountOf(source(tree))
  const began = tree.time
  const show = (): void => {
    // every 5 s a new value, in steps of 10 mWh
    const used = 15 * Math.floor((tree.time - began) / 5) * 5
    tree.set(folder, { energy_now: Math.floor(microwattHours(100_000 - used) / 10_000) * 10_000 })
  }
  pass(tree, account, 30, show)
  const span = account.startSpan()
  pass(tree, account, 600, show)
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'measured',
    boundary: 'node',
    domains: ['bat0'],
    source: 'battery',
  })
  expect(reading.low).toBeLessThanOrEqual(9000)
  expect(reading.high).toBeGreaterThanOrEqual(9000)
  expect(reading.joules! / 9000).toBeCloseTo(1, 1)
})

test('charge counts with the voltages that were seen, and is derived', async () => {
  const tree = new FakeTree().set(folder, {
    ...battery,
    charge_now: 4_000_000,
    voltage_now: 12e6,
    voltage_min_design: 11.4e6,
  })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  let charge = 4_000_000
  let [coulombs, joules] = [0, 0]
  pass(tree, account, 600, () => {
    const volts = 12 - coulombs / 2000
    coulombs += 2 * 0.05
    joules += 2 * 0.05 * volts
    charge = 4_000_000 - coulombs / 3600e-6
    tree.set(folder, { charge_now: Math.floor(charge / 1000) * 1000, voltage_now: Math.round(volts * 1e6) })
  })
  const reading = span.read()
  expect(reading).toMatchObject({ method: 'derived', boundary: 'node' })
  expect(reading.low).toBeLessThanOrEqual(joules)
  expect(reading.high).toBeGreaterThanOrEqual(joules)
  expect(reading.joules! / joules).toBeCloseTo(1, 1)
})

test.each<[string, (tree: FakeTree) => void, RegExp]>([
  ['mains power', (tree) => tree.set(folder, { status: 'Charging' }), /status is Charging/],
  ['a full battery', (tree) => tree.set(folder, { status: 'Not charging' }), /status is Not charging/],
  [
    'a battery that is taken out',
    (tree) => tree.set(folder, { energy_now: systemError('ENODEV') }),
    /ENODEV/,
  ],
  [
    'a gauge that is set anew',
    (tree) => tree.set(folder, { energy_now: microwattHours(150_000) }),
    /went back/,
  ],
  ['a gauge that jumps', (tree) => tree.set(folder, { energy_now: microwattHours(10_000) }), /jumped/],
])('%s within the window makes it unavailable, with the reason', async (_, inject, reason) => {
  const tree = new FakeTree().set(folder, { ...battery, energy_now: microwattHours(100_000) })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  inject(tree)
  pass(tree, account, 5)
  const reading = span.read()
  expect(reading).toMatchObject({ joules: null, boundary: 'node' })
  expect(reading.reasons.join()).toMatch(reason)
})

test.each<[string, FakeTree, RegExp]>([
  ['no power supply', new FakeTree(), /cannot be listed/],
  [
    'mains only',
    new FakeTree().set('/sys/class/power_supply/AC', { type: 'Mains' }),
    /no battery of the computer/,
  ],
  [
    'a mouse',
    new FakeTree().set('/sys/class/power_supply/hid', { ...battery, scope: 'Device' }),
    /no battery of the computer/,
  ],
  ['an empty bay', new FakeTree().set(folder, { ...battery, present: 0 }), /no battery of the computer/],
  [
    'charge without voltage',
    new FakeTree().set(folder, { ...battery, charge_now: 1 }),
    /voltage_now: ENOENT/,
  ],
])('%s: unusable, with the reason', async (_, tree, reason) => {
  const opening = await source(tree).open()
  expect(opening.usable).toBe(false)
  expect(opening.reasons.join()).toMatch(reason)
})

test('an empty root is refused', () => {
  expect(() => batterySource({ root: '' })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
