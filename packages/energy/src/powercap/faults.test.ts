import { expect, test } from 'vitest'
import { FakePowercap, systemError, usualRange } from './__fixtures__/fake-powercap.js'
import { accountOf } from './__fixtures__/open-fake.js'
import type { EnergyAccount } from '../source.js'

const zone = 'intel-rapl:0'

/** What goes wrong while a span is open; returns the joules that were truly used. */
type Fault = (fake: FakePowercap, account: EnergyAccount) => number

function pass(
  fake: FakePowercap,
  account: EnergyAccount,
  times: number,
  seconds: number,
  watts: number,
): number {
  for (let time = 0; time < times; time++) {
    fake.pass(seconds, { [zone]: watts })
    account.sample()
  }
  return times * seconds * watts
}

const survived: Record<string, Fault> = {
  'one wrap between two samples': (fake) => {
    fake.pass(2, { [zone]: 150 })
    return 300
  },
  'several wraps, sampled in time': (fake, account) => pass(fake, account, 40, 100, 200),
  'several wraps, sampled every second': (fake, account) => pass(fake, account, 4000, 1, 200),
  'so long between two samples that wraps cannot be counted': (fake) => {
    fake.pass(3600, { [zone]: 200 })
    return 720_000
  },
  'no read at all for an hour of idling': (fake) => {
    fake.pass(3600, { [zone]: 12 })
    return 43_200
  },
  'failed reads in the background': (fake, account) => {
    const used = pass(fake, account, 2, 1, 80)
    const value = fake.read(`${fake.root}/${zone}/energy_uj`)
    fake.energy(zone, systemError('EINVAL'))
    fake.time += 1
    account.sample()
    fake.energy(zone, Number(value) + 80e6)
    return used + 80
  },
  'words in the background': (fake, account) => {
    const value = Number(fake.read(`${fake.root}/${zone}/energy_uj`))
    fake.energy(zone, '<busy>')
    fake.time += 1
    account.sample()
    fake.energy(zone, value + 50e6)
    return 50
  },
  'a zone that disappears and returns': (fake, account) => {
    const value = Number(fake.read(`${fake.root}/${zone}/energy_uj`))
    fake.remove(zone)
    fake.time += 1
    account.sample()
    fake.energy(zone, value + 60e6)
    return 60
  },
  'a counter one refresh old': (fake) => {
    fake.time += 0.001
    return 0.1
  },
  'a counter that holds back its last 50 ms': (fake, account) => {
    const used = pass(fake, account, 1, 1, 900)
    fake.time += 0.05
    return used + 45
  },
}

test.each(Object.entries(survived))('%s: the truth lies within the bounds', async (name, inject) => {
  const wrapsSoon = /wrap/.test(name)
  const fake = new FakePowercap().zone(zone, 'package-0', { energy: wrapsSoon ? usualRange - 100e6 : 1e9 })
  const account = await accountOf(fake)
  const span = account.startSpan()
  const truth = inject(fake, account)
  const reading = span.read()
  expect(reading.joules).not.toBeNull()
  expect(reading.low!).toBeLessThanOrEqual(truth)
  expect(reading.high!).toBeGreaterThanOrEqual(truth)
  if (!/between two samples that|hour/.test(name)) {
    expect(reading.method).toBe('measured')
    expect(Math.abs(reading.joules! - truth)).toBeLessThan(/holds back/.test(name) ? 46 : 1)
  } else
    expect(reading).toMatchObject({
      method: 'estimated',
      reasons: [expect.stringContaining('count the wraps')],
    })
})

test('wraps are counted', async () => {
  const fake = new FakePowercap().zone(zone, 'package-0')
  const account = await accountOf(fake)
  const span = account.startSpan()
  pass(fake, account, 40, 100, 200) // 800 kJ over a range of 262 kJ
  const { wraps, joules } = span.read()
  expect(wraps).toBe(3)
  expect(joules).toBeCloseTo(800_000, 4) // a wrap is one unit, 61 µJ, longer than the range
})

const lost: Record<string, readonly [Fault, RegExp]> = {
  'a reset': [
    (fake) => {
      fake.time += 1
      fake.energy(zone, 5e6)
      return 0
    },
    /went back by 995 J \(reset\): a wrap would mean \d+ W, above the plausible 1000 W/,
  ],
  'a counter that runs backwards': [
    (fake) => {
      fake.time += 1
      fake.energy(zone, 1e9 - 61)
      return 0
    },
    /went back/,
  ],
  'a jump': [
    (fake) => {
      fake.time += 1
      fake.energy(zone, 200_000e6)
      return 0
    },
    /jumped by 199000 J/,
  ],
  'a counter that stands still': [
    (fake) => {
      fake.time += 5
      return 500
    },
    /stood still for 5\.0 s/,
  ],
  'a counter that stands still after a while': [
    (fake, account) => {
      const used = pass(fake, account, 3, 1, 100)
      fake.time += 2
      return used + 200
    },
    /stood still for 2\.0 s/,
  ],
  'a zone that disappears': [
    (fake) => {
      fake.remove(zone)
      return 0
    },
    /ENOENT/,
  ],
  'a driver that fails': [
    (fake) => {
      fake.energy(zone, systemError('EINVAL'))
      return 0
    },
    /EINVAL/,
  ],
  'a permission that is withdrawn': [
    (fake) => {
      fake.energy(zone, systemError('EACCES'))
      return 0
    },
    /EACCES/,
  ],
  'words instead of a number': [
    (fake) => {
      fake.energy(zone, '1e9')
      return 0
    },
    /"1e9", not a number/,
  ],
  'a sentinel': [
    (fake) => {
      fake.energy(zone, '4294967295000000')
      return 0
    },
    /beyond its own range/,
  ],
  'a reset that background sampling saw': [
    (fake, account) => {
      pass(fake, account, 1, 1, 100)
      fake.time += 1
      fake.energy(zone, 0)
      account.sample()
      return pass(fake, account, 5, 1, 100)
    },
    /reset/,
  ],
}

test.each(Object.entries(lost))(
  '%s: unavailable, with the reason, never a number',
  async (_, [inject, reason]) => {
    const fake = new FakePowercap().zone(zone, 'package-0')
    const account = await accountOf(fake)
    const span = account.startSpan()
    inject(fake, account)
    const reading = span.read()
    expect(reading).toMatchObject({
      joules: null,
      low: null,
      high: null,
      method: 'unavailable',
      source: 'rapl',
    })
    expect(reading.reasons.join()).toMatch(reason)
    expect(reading.reasons.join()).toContain('package-0')
  },
)

test.each(['a reset', 'a jump', 'a counter that stands still', 'a counter that runs backwards'])(
  'after %s, a span that begins later is measured again',
  async (name) => {
    const fake = new FakePowercap().zone(zone, 'package-0')
    const account = await accountOf(fake)
    account.startSpan()
    lost[name]![0](fake, account)
    account.sample()
    fake.pass(1, { [zone]: 70 })
    account.sample()
    const span = account.startSpan()
    fake.pass(2, { [zone]: 70 })
    expect(span.read()).toMatchObject({ method: 'measured', joules: expect.closeTo(140, 2) })
  },
)

test('a span that begins while the counter cannot be read is unavailable, however well it ends', async () => {
  const fake = new FakePowercap().zone(zone, 'package-0')
  const account = await accountOf(fake)
  fake.energy(zone, systemError('EINVAL'))
  const span = account.startSpan()
  fake.energy(zone, 1.1e9)
  fake.time += 1
  expect(span.read()).toMatchObject({ joules: null, reasons: [expect.stringContaining('EINVAL')] })
})

test('a read that fails once is tried again', async () => {
  const fake = new FakePowercap().zone(zone, 'package-0')
  const account = await accountOf(fake)
  const span = account.startSpan()
  fake.pass(1, { [zone]: 10 })
  const read = fake.read.bind(fake)
  let failures = 2
  fake.read = (path) => {
    if (failures-- > 0) throw systemError('EINVAL')
    return read(path)
  }
  expect(span.read().joules).toBeCloseTo(10, 2)
})
