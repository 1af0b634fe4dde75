import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FakePowercap, systemError, usualRange } from './__fixtures__/fake-powercap.js'
import { accountOf, openFake } from './__fixtures__/open-fake.js'
import { raplSource } from './rapl-source.js'

test('a package is measured within bounds that hold the truth', async () => {
  const fake = new FakePowercap().zone('intel-rapl:0', 'package-0', { limits: [125, 253] })
  const span = (await accountOf(fake)).startSpan()
  fake.pass(2, { 'intel-rapl:0': 100 })
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'measured',
    source: 'rapl',
    domains: ['package-0'],
    boundary: 'device',
    seconds: 2,
  })
  expect(reading.joules).toBeCloseTo(200, 3)
  // ± what 2 · 253 W may use in one refresh of 2 ms
  expect(reading.high! - reading.low!).toBeCloseTo(2 * 506 * 0.002, 2)
})

test('packages and their DRAM are summed; core, uncore and psys lie within them and are not', async () => {
  const fake = new FakePowercap()
    .zone('intel-rapl:0', 'package-0')
    .zone('intel-rapl:0:0', 'core')
    .zone('intel-rapl:0:1', 'uncore')
    .zone('intel-rapl:0:2', 'dram')
    .zone('intel-rapl:1', 'package-1')
    .zone('intel-rapl:1:0', 'dram')
    .zone('intel-rapl:2', 'psys')
  const span = (await accountOf(fake)).startSpan()
  const watts = { '0': 50, '0:0': 30, '0:1': 5, '0:2': 4, '1': 40, '1:0': 3, '2': 120 }
  fake.pass(
    10,
    Object.fromEntries(Object.entries(watts).map(([zone, power]) => [`intel-rapl:${zone}`, power])),
  )
  const reading = span.read()
  expect(reading.joules).toBeCloseTo(10 * (50 + 4 + 40 + 3), 2)
  expect(reading.domains).toEqual(['package-0', 'dram-0', 'package-1', 'dram-1'])
})

test('psys counts alone where there is no package', async () => {
  const fake = new FakePowercap().zone('intel-rapl:0', 'psys').zone('intel-rapl:0:0', 'dram')
  const span = (await accountOf(fake)).startSpan()
  fake.pass(1, { 'intel-rapl:0': 20, 'intel-rapl:0:0': 3 })
  expect(span.read()).toMatchObject({ domains: ['psys'], joules: expect.closeTo(20, 2) })
})

test('MMIO shows the package again and is not counted twice, but stands in where MSR lacks it', async () => {
  const both = new FakePowercap().zone('intel-rapl-mmio:0', 'package-0').zone('intel-rapl:0', 'package-0')
  const span = (await accountOf(both)).startSpan()
  both.pass(1, { 'intel-rapl-mmio:0': 11, 'intel-rapl:0': 10 })
  expect(span.read().joules).toBeCloseTo(10, 2)

  const alone = new FakePowercap().zone('intel-rapl-mmio:0', 'package-0')
  const lonely = (await accountOf(alone)).startSpan()
  alone.pass(1, { 'intel-rapl-mmio:0': 10 })
  expect(lonely.read().joules).toBeCloseTo(10, 2)
})

test('dies that mirror one counter are counted once, and the reading says so', async () => {
  const fake = new FakePowercap()
    .zone('intel-rapl:0', 'package-0-die-0')
    .zone('intel-rapl:1', 'package-0-die-1')
  const span = (await accountOf(fake)).startSpan()
  fake.pass(1, { 'intel-rapl:0': 68, 'intel-rapl:1': 68 })
  const reading = span.read()
  expect(reading.joules).toBeCloseTo(68, 2)
  expect(reading.reasons).toEqual([
    expect.stringContaining('package-0-die-1 shows the counter of package-0-die-0'),
  ])
})

test('dies with counters of their own, and sockets that happen to agree, are summed', async () => {
  const dies = new FakePowercap()
    .zone('intel-rapl:0', 'package-0-die-0', { energy: 1e9 })
    .zone('intel-rapl:1', 'package-0-die-1', { energy: 5e9 })
  const span = (await accountOf(dies)).startSpan()
  dies.pass(1, { 'intel-rapl:0': 60, 'intel-rapl:1': 40 })
  expect(span.read().joules).toBeCloseTo(100, 2)

  const sockets = new FakePowercap().zone('intel-rapl:0', 'package-0').zone('intel-rapl:1', 'package-1')
  const pair = (await accountOf(sockets)).startSpan()
  sockets.pass(1, { 'intel-rapl:0': 60, 'intel-rapl:1': 60 })
  expect(pair.read().joules).toBeCloseTo(120, 2)
})

test('dies that only seemed to mirror make the span unavailable once, and count on their own afterwards', async () => {
  const fake = new FakePowercap()
    .zone('intel-rapl:0', 'package-0-die-0')
    .zone('intel-rapl:1', 'package-0-die-1')
  const account = await accountOf(fake)
  const watts = { 'intel-rapl:0': 60, 'intel-rapl:1': 20 }
  const first = account.startSpan()
  fake.pass(1, watts)
  expect(first.read()).toMatchObject({ joules: null, reasons: [expect.stringContaining('seemed to mirror')] })
  const second = account.startSpan()
  fake.pass(1, watts)
  expect(second.read().joules).toBeCloseTo(80, 2)
})

test.each([
  ['EACCES', true],
  ['EPERM', true],
  ['EINVAL', false],
  ['ENODEV', false],
])(
  'a counter that gives %s when opened is refused with the reason, and the cure where there is one',
  async (code, curable) => {
    const fake = new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: systemError(code) })
    const opening = await openFake(fake)
    expect(opening.usable).toBe(false)
    expect(opening.reasons.join()).toContain(code)
    expect('cure' in opening && opening.cure?.includes('SUBSYSTEM=="powercap"')).toBe(curable)
  },
)

test.each<[string, FakePowercap, RegExp]>([
  [
    'no tree',
    Object.assign(new FakePowercap(), {
      root: '/elsewhere',
      list: () => {
        throw systemError('ENOENT')
      },
    }),
    /ENOENT.*virtual machine/,
  ],
  ['an empty tree', new FakePowercap(), /no RAPL zone/],
  ['only zones that nobody counts', new FakePowercap().zone('intel-rapl:0', 'core'), /no RAPL zone/],
  ['a range of 0', new FakePowercap().zone('intel-rapl:0', 'package-0', { range: 0 }), /range_uj is 0/],
  [
    'a range of words',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { range: 'much' }),
    /"much", not a number/,
  ],
  [
    'a counter of words',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: 'N/A' }),
    /"N\/A", not a number/,
  ],
  [
    'an empty counter',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: '' }),
    /"", not a number/,
  ],
  [
    'a negative counter',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: '-5' }),
    /not a number/,
  ],
  [
    'a counter beyond its range',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: usualRange + 1 }),
    /beyond its own range/,
  ],
  [
    'a sentinel',
    new FakePowercap().zone('intel-rapl:0', 'package-0', { energy: '18446744073709551615' }),
    /beyond its own range/,
  ],
  [
    'one of two packages unreadable',
    new FakePowercap()
      .zone('intel-rapl:0', 'package-0')
      .zone('intel-rapl:1', 'package-1', { energy: systemError('EINVAL') }),
    /intel-rapl:1\/energy_uj: EINVAL/,
  ],
  [
    'one of two packages malformed',
    new FakePowercap().zone('intel-rapl:0', 'package-0').zone('intel-rapl:1', 'package-1', { range: 'much' }),
    /intel-rapl:1 is left out: .*not a number/,
  ],
  [
    'one of two zones without a name',
    new FakePowercap()
      .zone('intel-rapl:0', 'package-0')
      .zone('intel-rapl:1', 'package-1')
      .without('intel-rapl:1', 'name'),
    /intel-rapl:1 is left out: ENOENT/,
  ],
])('%s is refused with the reason', async (_, fake, reason) => {
  const opening = await openFake(fake)
  expect(opening.usable).toBe(false)
  expect(opening.reasons.join()).toMatch(reason)
})

test('a psys that is malformed is left out of packages that are not', async () => {
  const fake = new FakePowercap()
    .zone('intel-rapl:0', 'package-0')
    .zone('intel-rapl:1', 'psys', { range: 'much' })
  const span = (await accountOf(fake)).startSpan()
  fake.pass(1, { 'intel-rapl:0': 50 })
  expect(span.read()).toMatchObject({
    domains: ['package-0'],
    reasons: [expect.stringContaining('intel-rapl:1 is left out')],
  })
})

test('DRAM that cannot be read, or never moves, is left out of domains and joules, and the reading says so', async () => {
  const unreadable = new FakePowercap()
    .zone('intel-rapl:0', 'package-0')
    .zone('intel-rapl:0:0', 'dram', { energy: systemError('EINVAL') })
  const span = (await accountOf(unreadable)).startSpan()
  unreadable.pass(1, { 'intel-rapl:0': 50 })
  expect(span.read()).toMatchObject({
    joules: expect.closeTo(50, 2),
    domains: ['package-0'],
    reasons: [expect.stringContaining('dram-0 is left out')],
  })

  const dead = new FakePowercap()
    .zone('intel-rapl:0', 'package-0')
    .zone('intel-rapl:0:0', 'dram', { energy: 0 })
  const other = (await accountOf(dead)).startSpan()
  dead.pass(1, { 'intel-rapl:0': 50 })
  expect(other.read()).toMatchObject({
    joules: expect.closeTo(50, 2),
    domains: ['package-0'],
    reasons: ['dram-0 is left out: its counter has never moved'],
  })
})

test('a tree of real files is read', async () => {
  const root = mkdtempSync(join(tmpdir(), 'bio-powercap-'))
  try {
    const zone = join(root, 'intel-rapl:0')
    mkdirSync(zone)
    writeFileSync(join(zone, 'name'), 'package-0\n')
    writeFileSync(join(zone, 'max_energy_range_uj'), `${usualRange}\n`)
    writeFileSync(join(zone, 'energy_uj'), '1000000\n')
    let time = 0
    const opening = await raplSource({ root, now: () => time }).open()
    if (!opening.usable) throw new Error(opening.reasons.join())
    const span = opening.account.startSpan()
    writeFileSync(join(zone, 'energy_uj'), '31000000\n')
    time = 1
    expect(span.read()).toMatchObject({ joules: expect.closeTo(30, 6), method: 'measured' })
  } finally {
    rmSync(root, { recursive: true })
  }
})

test.each([0, 1001, Number.NaN])('a rate of %d is refused', (hertz) => {
  expect(() => raplSource({ hertz })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test('an empty root is refused', () => {
  expect(() => raplSource({ root: '' })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
