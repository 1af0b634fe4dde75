import { expect, test } from 'vitest'
import { accountOf, FakeTree, pass, systemError } from './__fixtures__/fake-tree.js'
import { hwmonSource, type HwmonOptions } from './hwmon-source.js'

const chip = '/sys/class/hwmon/hwmon0'
const source = (
  files: FakeTree,
  component: HwmonOptions['component'] = 'cpu',
): ReturnType<typeof hwmonSource> => hwmonSource({ component, files, now: () => files.time })

const disk = { name: 'nvme', power1_input: 5e6 }

test('sockets of amd_energy are counted, not the cores within them', async () => {
  const tree = new FakeTree().set('/sys/class/hwmon/hwmon1', disk).set(chip, {
    name: 'amd_energy',
    energy1_label: 'Ecore000',
    energy1_input: 5e6,
    energy2_label: 'Esocket0',
    energy2_input: 100e6,
  })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  let joules = 100
  pass(tree, account, 10, () =>
    tree.set(chip, { energy2_input: (joules += 80 * 0.05) * 1e6, energy1_input: 0 }),
  )
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'measured',
    source: 'hwmon',
    domains: ['cpu-0-energy-2'],
    boundary: 'device',
  })
  expect(reading.joules).toBeCloseTo(800, 6)
  expect(reading.high! - reading.low!).toBeLessThan(4 * 100)
})

test('an average with its interval is integrated, derived, within what the interval can hide', async () => {
  const tree = new FakeTree().set(chip, {
    name: 'power_meter',
    power1_average: 200e6,
    power1_average_interval: 1000,
    power1_cap_max: 500e6,
  })
  const account = await accountOf(source(tree, 'node'))
  pass(tree, account, 3)
  const span = account.startSpan()
  pass(tree, account, 60)
  const reading = span.read()
  expect(reading).toMatchObject({ method: 'derived', boundary: 'node', domains: ['node-0-power-1'] })
  expect(reading.joules).toBeCloseTo(12_000, 0)
  expect(reading.low).toBeLessThan(12_000)
  expect(reading.high).toBeGreaterThan(12_000)
})

test('power whose averaging is told nowhere gives an estimate, and says so', async () => {
  const tree = new FakeTree().set(chip, { name: 'fam15h_power', power1_input: 65e6, power1_crit: 95e6 })
  const account = await accountOf(source(tree))
  pass(tree, account, 1)
  const span = account.startSpan()
  pass(tree, account, 10)
  const reading = span.read()
  expect(reading.method).toBe('estimated')
  expect(reading.reasons.join()).toContain('power1_input of fam15h_power is taken for the mean')
  expect(reading.joules).toBeCloseTo(650, 3)
})

test('a socket of Grace counts once, and as a processor', async () => {
  const folder = (index: number): string => `/sys/class/hwmon/hwmon${index}`
  const meter = { name: 'power_meter', power1_average_interval: 50 }
  const tree = new FakeTree()
    .set(folder(0), { ...meter, power1_oem_info: 'Grace Power Socket 0', power1_average: 300e6 })
    .set(folder(1), { ...meter, power1_oem_info: 'CPU Power Socket 0', power1_average: 200e6 })
    .set(folder(2), { ...meter, power1_oem_info: 'SysIO Power Socket 0', power1_average: 20e6 })
  const account = await accountOf(source(tree))
  pass(tree, account, 1)
  const span = account.startSpan()
  pass(tree, account, 10)
  expect(span.read().joules).toBeCloseTo(3000, 0)
  expect((await source(tree, 'node').open()).usable).toBe(false)
})

test.each<[string, number | string | NodeJS.ErrnoException, RegExp]>([
  [
    'the sentinel of 4294967295000 µW',
    4_294_967_295_000,
    /shows 4294967\.295 W, and 0 to \d+ W are plausible/,
  ],
  ['words', 'N/A', /"N\/A", not a number/],
  ['a negative power', -5, /"-5", not a number/],
  ['a failing driver', systemError('EIO'), /EIO/],
])('%s is no power: the reading is unavailable, with the reason', async (_, content, reason) => {
  const tree = new FakeTree().set(chip, {
    name: 'zenpower',
    power1_input: 50e6,
    power1_max: 4_294_967_295_000,
  })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  pass(tree, account, 1)
  tree.set(chip, { power1_input: content })
  pass(tree, account, 1)
  const reading = span.read()
  expect(reading).toMatchObject({ joules: null, method: 'unavailable' })
  expect(reading.reasons.join()).toMatch(reason)
})

test.each<[string, (tree: FakeTree) => void, number, RegExp]>([
  ['stands still', () => {}, 5, /stood still/],
  ['runs backwards', (tree) => tree.set(chip, { energy1_input: 50e6 }), 1, /went back/],
  ['jumps', (tree) => tree.set(chip, { energy1_input: 1e15 }), 1, /jumped/],
])('an energy counter that %s makes the reading unavailable', async (_, inject, seconds, reason) => {
  const tree = new FakeTree().set(chip, { name: 'xe', energy1_input: 100e6, energy2_input: 60e6 })
  const account = await accountOf(source(tree, 'intel-gpu'))
  const span = account.startSpan()
  inject(tree)
  pass(tree, account, seconds)
  expect(span.read().reasons.join()).toMatch(reason)
  expect(span.read().joules).toBeNull()
})

test.each<[string, FakeTree, { present: boolean; reason: RegExp }]>([
  ['no hwmon', new FakeTree(), { present: false, reason: /cannot be listed \(ENOENT\)/ }],
  ['only a disk', new FakeTree().set(chip, disk), { present: false, reason: /no chip of amd_energy/ }],
  [
    'a chip without a name',
    new FakeTree().set(chip, { power1_input: 1 }),
    { present: false, reason: /no chip/ },
  ],
  [
    'a chip that shows nothing',
    new FakeTree().set(chip, { name: 'fam15h_power' }),
    { present: true, reason: /neither power nor energy/ },
  ],
])('%s: unusable, with the reason', async (_, tree, { present, reason }) => {
  const opening = await source(tree).open()
  expect(opening).toMatchObject({ usable: false, present })
  expect(opening.reasons.join()).toMatch(reason)
})

test('counters closed to users name the rule that opens them', async () => {
  const tree = new FakeTree().set(chip, {
    name: 'amd_energy',
    energy1_label: 'Esocket0',
    energy1_input: systemError('EACCES'),
  })
  expect(await source(tree).open()).toMatchObject({
    usable: false,
    cure: expect.stringContaining('ATTR{name}=="amd_energy"'),
  })
})

test('two power meters of the computer may hold one another, so neither is used', async () => {
  const meter = { name: 'power_meter', power1_average: 1e8 }
  const tree = new FakeTree().set(chip, meter).set('/sys/class/hwmon/hwmon1', meter)
  expect(await source(tree, 'node').open()).toMatchObject({
    usable: false,
    reasons: [expect.stringContaining('several')],
  })
})

test('an unknown component and an empty root are refused', () => {
  const refused = expect.objectContaining({ code: 'ERR_BIO_VALUE' })
  expect(() => hwmonSource({ component: 'fan' as never })).toThrow(refused)
  expect(() => hwmonSource({ component: 'cpu', root: '' })).toThrow(refused)
})
