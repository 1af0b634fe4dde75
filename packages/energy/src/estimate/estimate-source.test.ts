import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { expect, test } from 'vitest'
import type { EnergyAccount, SourceOpening } from '../source.js'
import { parseProcStat } from './cpu-usage.js'
import { cpuEstimateSource, type EstimateScope } from './estimate-source.js'

/** A machine of two CPUs whose files and clock are ours. */
class FakeMachine {
  time = 0
  readonly files = new Map<string, string>()

  constructor(files: Record<string, string>) {
    for (const [path, text] of Object.entries(files)) this.files.set(path, text)
  }

  readonly readFile = (path: string): string => {
    const text = this.files.get(path)
    if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' })
    return text
  }

  async open(scope?: EstimateScope): Promise<SourceOpening> {
    const source = cpuEstimateSource({
      readFile: this.readFile,
      now: () => this.time,
      ...(scope ? { scope } : {}),
    })
    return source.open()
  }

  async account(scope?: EstimateScope): Promise<EnergyAccount> {
    const opening = await this.open(scope)
    if (!opening.usable) throw new Error(opening.reasons.join())
    return opening.account
  }
}

/** user, nice, system, idle, iowait, irq, softirq, steal in ticks of 10 ms. */
const stat = (...ticks: number[]): string => `cpu  ${ticks.join(' ')} 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n`

test('busy time of the machine gives joules within the documented band', async () => {
  const machine = new FakeMachine({ '/proc/stat': stat(0, 0, 0, 0, 0, 0, 0, 0) })
  const span = (await machine.account()).startSpan()
  machine.time = 10
  machine.files.set('/proc/stat', stat(700, 100, 150, 900, 50, 20, 30, 50)) // 10 of 20 CPU seconds busy
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'estimated',
    source: 'cpu-time',
    domains: ['cpu'],
    boundary: 'device',
    seconds: 10,
  })
  // half a second was stolen
  expect(reading.joules).toBeCloseTo(10 * 5.4 + 9.5 * 1, 6)
  expect(reading.low).toBeCloseTo(9.98 * 1.4 + (19.5 - 9.98) * 0.26, 6)
  expect(reading.high).toBeCloseTo(10.02 * 21 + 9.98 * 3.9, 6)
  expect(reading.reasons).toEqual([
    expect.stringContaining('the whole machine on 2 logical CPUs'),
    "the host ran others in 3 % of the CPUs' time: only the upper bound holds it",
  ])
})

test('a span shorter than a tick is not zero', async () => {
  const machine = new FakeMachine({ '/proc/stat': stat(5, 0, 0, 0, 0, 0, 0, 0) })
  const span = (await machine.account()).startSpan()
  machine.time = 0.001
  const { joules, low, high } = span.read()
  expect(low).toBeGreaterThan(0)
  expect(joules).toBeCloseTo(0.002 * 1, 9)
  expect(high).toBeCloseTo(0.002 * 21, 9) // both CPUs may have been busy, and no more than they
})

test.each<[string, Record<string, string>, (machine: FakeMachine) => void]>([
  [
    'version 2',
    {
      '/sys/fs/cgroup/cpu.max': '150000 100000\n',
      '/sys/fs/cgroup/cpu.stat': 'usage_usec 1000000\nuser_usec 1\n',
    },
    ({ files }) => files.set('/sys/fs/cgroup/cpu.stat', 'usage_usec 7000000\nuser_usec 1\n'),
  ],
  [
    'version 1',
    {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/cpuacct/cpuacct.usage': '1000000000\n',
    },
    ({ files }) => files.set('/sys/fs/cgroup/cpuacct/cpuacct.usage', '7000000000\n'),
  ],
])(
  'a container with a quota (%s) counts its own time and its own share of idle power',
  async (_, files, use) => {
    const machine = new FakeMachine({ ...files, '/proc/stat': stat(0, 0, 0, 0, 0, 0, 0, 0) })
    const span = (await machine.account()).startSpan()
    machine.time = 10
    use(machine)
    const reading = span.read()
    expect(reading.boundary).toBe('process')
    expect(reading.joules).toBeCloseTo(6 * 5.4 + 9 * 1, 6) // 1.5 CPUs for 10 s, 6 s busy
    expect(reading.reasons.join()).toContain('this container on 1.5 logical CPUs')
  },
)

test.each([
  { '/sys/fs/cgroup/cpu.max': 'max 100000\n' },
  { '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n', '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n' },
  { '/sys/fs/cgroup/cpu.max': 'nonsense' },
  { '/sys/fs/cgroup/cpu.max': '' },
  { '/sys/fs/cgroup/cpu.max': '100000 0' },
  { '/sys/fs/cgroup/cpu.max': '100000 100000', '/sys/fs/cgroup/cpu.stat': 'nr_periods 5' },
])('%o is no quota: the machine counts', async (files) => {
  const machine = new FakeMachine({ ...files, '/proc/stat': stat(0, 0, 0, 0, 0, 0, 0, 0) } as Record<
    string,
    string
  >)
  expect((await machine.open()).reasons.join()).toContain('the whole machine')
})

test('this process alone pays no idle power for sure, and at most all of it', async () => {
  const machine = new FakeMachine({ '/proc/stat': stat(0, 0, 0, 0, 0, 0, 0, 0) })
  const span = (await machine.account('process')).startSpan()
  const before = process.cpuUsage()
  while (process.cpuUsage(before).user < 40_000) Math.hypot(1, 2)
  machine.time = 1000 // nearly all idle
  const reading = span.read()
  expect(reading.boundary).toBe('process')
  expect(reading.joules).toBeGreaterThan(0.03 * 4)
  expect(reading.joules).toBeLessThan(30) // no idle power of 1000 s
  expect(reading.high).toBeGreaterThan(1000 * 3.9 * 0.99)
})

test.each<[string, (machine: FakeMachine) => void, RegExp]>([
  ['disappears', ({ files }) => files.delete('/proc/stat'), /ENOENT/],
  ['holds words', ({ files }) => files.set('/proc/stat', 'cpu many'), /no line of CPU times/],
  ['goes back', ({ files }) => files.set('/proc/stat', stat(1, 0, 0, 0, 0, 0, 0, 0)), /went back/],
])('a clock that %s makes the span unavailable, with the reason', async (_, inject, reason) => {
  const machine = new FakeMachine({ '/proc/stat': stat(100, 0, 0, 0, 0, 0, 0, 0) })
  const span = (await machine.account()).startSpan()
  machine.time = 1
  inject(machine)
  expect(span.read()).toMatchObject({ joules: null, method: 'unavailable' })
  expect(span.read().reasons.join()).toMatch(reason)
})

test('a machine said to draw 10 W idle and 50 W busy is estimated between these', async () => {
  const machine = new FakeMachine({ '/proc/stat': stat(0, 0, 0, 0, 0, 0, 0, 0) })
  const count = cpus().length
  const calibration = { idleWatts: 5 * count, busyWatts: 25 * count } // the fake machine has 2 CPUs of these
  const source = cpuEstimateSource({ readFile: machine.readFile, now: () => machine.time, calibration })
  const opening = await source.open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  const span = opening.account.startSpan()
  machine.time = 10
  machine.files.set('/proc/stat', stat(1000, 0, 0, 1000, 0, 0, 0, 0))
  const reading = span.read()
  expect(reading).toMatchObject({ method: 'estimated', joules: expect.closeTo(300, 6) })
  expect(reading.low).toBeGreaterThan(100 * 0.9)
  expect(reading.high).toBeLessThanOrEqual(500 * 1.2 + 1e-9)
  expect(reading.reasons.join()).toContain('was said to draw')
})

test.each([
  { idleWatts: -1, busyWatts: 5 },
  { idleWatts: 10, busyWatts: 9 },
  { idleWatts: Number.NaN, busyWatts: 9 },
  { idleWatts: 1, busyWatts: Infinity },
])('a calibration of %o is refused', (calibration) => {
  expect(() => cpuEstimateSource({ calibration })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test('kernels that tell no steal are read as if there were none', () => {
  expect(parseProcStat('cpu  1 2 3 4 5 6 7\n')).toEqual({ busy: 0.19, stolen: 0 })
  expect(parseProcStat('cpu  1 2 3 4 5 6 7 8 0 0\n')).toEqual({ busy: 0.19, stolen: 0.08 })
})

test('without /proc/stat the operating system’s own list of CPUs is used', async () => {
  const opening = await new FakeMachine({}).open()
  expect(opening.usable).toBe(true)
  expect(opening.reasons.join()).toContain('the whole machine')
})

const children = (ticks: number): string => `7 (a) name) S 1 ${'0 '.repeat(11)}${ticks} ${ticks} 20 0 1 0\n`

test('the processes that this one started are counted with theirs, as they end', async () => {
  const machine = new FakeMachine({ '/proc/self/stat': children(100) })
  const span = (await machine.account('children')).startSpan()
  machine.time = 5
  machine.files.set('/proc/self/stat', children(300)) // 2 s of user and 2 s of system time
  const reading = span.read()
  expect(reading).toMatchObject({ boundary: 'process', method: 'estimated' })
  expect(reading.joules).toBeCloseTo(4 * (5.4 - 1), 6)
  expect(reading.reasons.join()).toContain('the processes that this one started')
  machine.files.set('/proc/self/stat', '7 (node) S')
  expect(span.read().reasons.join()).toContain('no CPU time of children')
})

test('a real child’s CPU time is in it', async () => {
  if (process.platform !== 'linux') return
  const opening = await cpuEstimateSource({ scope: 'children' }).open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  const span = opening.account.startSpan()
  spawnSync(process.execPath, [
    '-e',
    'const from = process.cpuUsage(); while (process.cpuUsage(from).user < 300_000);',
  ])
  expect(span.read().joules).toBeGreaterThan(0.2) // 0.3 s at about 4 W
})

test('an unknown scope is refused', () => {
  expect(() => cpuEstimateSource({ scope: 'galaxy' as never })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})
