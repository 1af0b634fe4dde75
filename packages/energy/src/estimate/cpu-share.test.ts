import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import { attributeReading, startCpuShare, type CpuShare } from './cpu-share.js'

/** Files of a machine of two CPUs with a container of one. */
class FakeMachine {
  readonly files = new Map<string, string>()

  /** CPU seconds: of the machine, of the container, stolen. */
  set(busy: number, own: number, stolen = 0): void {
    const ticks = (seconds: number): number => Math.floor(seconds * 100)
    this.files.set(
      '/proc/stat',
      `cpu  ${ticks(busy)} 0 0 0 0 0 0 ${ticks(stolen)} 0 0\ncpu0 1 2 3\ncpu1 1 2 3\n`,
    )
    this.files.set('/sys/fs/cgroup/cpu.max', '100000 100000\n')
    this.files.set('/sys/fs/cgroup/cpu.stat', `usage_usec ${Math.floor(own * 1e6)}\n`)
  }

  readonly readFile = (path: string): string => {
    const text = this.files.get(path)
    if (text === undefined) throw new Error(`ENOENT: ${path}`)
    return text
  }
}

const share: CpuShare = {
  low: 0.2,
  likely: 0.25,
  high: 0.3,
  ownSeconds: 1,
  busySeconds: 4,
  stolenSeconds: 0,
  whose: 'this process',
}

const cpu = createReading({
  joules: 100,
  low: 90,
  high: 120,
  method: 'measured',
  source: 'rapl',
  domains: ['package-0'],
  seconds: 2,
  aboveIdle: { joules: 60, low: 50, high: 70, method: 'derived', calibratedAt: '2026-01-01T00:00:00.000Z' },
})

test('the share of a container holds the truth within the ticks of the clocks', () => {
  const seconds = fc.double({ min: 0, max: 100, noNaN: true })
  fc.assert(
    fc.property(seconds, seconds, fc.double({ min: 0, max: 5, noNaN: true }), (own, others, stolen) => {
      const machine = new FakeMachine()
      machine.set(1000, 500)
      const watch = startCpuShare({ scope: 'container', readFile: machine.readFile })
      machine.set(1000 + own + others, 500 + own, stolen)
      const found = watch.read()
      const truth = own + others === 0 ? 0 : own / (own + others)
      expect(found.low).toBeLessThanOrEqual(truth + 1e-9)
      expect(found.high).toBeGreaterThanOrEqual(truth - 1e-9)
      expect(found.low).toBeLessThanOrEqual(found.likely)
      expect(found.likely).toBeLessThanOrEqual(found.high)
      expect(found.stolenSeconds).toBeCloseTo(stolen, 1)
    }),
  )
})

test('a share takes its part of the energy above idle, is derived and covers a process', () => {
  expect(attributeReading(cpu, share)).toMatchObject({
    joules: 15,
    low: 10,
    high: 21,
    method: 'derived',
    boundary: 'process',
    aboveIdle: { joules: 15, low: 10, high: 21 },
    reasons: ['this process used 25 % of the busy CPU time: that share of the energy above idle'],
  })
})

test('where idle power is unknown, the share is of all energy and says so', () => {
  const { joules, aboveIdle, reasons } = attributeReading(createReading({ ...cpu, aboveIdle: null }), share)
  expect([joules, aboveIdle]).toEqual([25, null])
  expect(reasons.join()).toContain('idle power included')
})

test('estimated stays estimated, unknown stays unknown, and less than idle is no energy below 0', () => {
  const estimated: Reading = createReading({ ...cpu, method: 'estimated', aboveIdle: null })
  expect(attributeReading(estimated, share).method).toBe('estimated')
  const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
  expect(attributeReading(unknown, share)).toBe(unknown)
  const cooler = createReading({ ...cpu, aboveIdle: { ...cpu.aboveIdle!, joules: -5, low: -10, high: 1 } })
  expect(attributeReading(cooler, share)).toMatchObject({ joules: 0, low: 0, high: 0.3 })
})

test('this process has a share of this machine', () => {
  const watch = startCpuShare()
  const before = process.cpuUsage()
  while (process.cpuUsage(before).user < 100_000) Math.hypot(1, 2)
  const { likely, ownSeconds, low, high } = watch.read()
  expect(ownSeconds).toBeGreaterThanOrEqual(0.09)
  expect(likely).toBeGreaterThan(0)
  expect([low <= likely, likely <= high]).toEqual([true, true])
})

test('what cannot be watched is refused: another scope, a container without a quota, a clock that disappears', () => {
  const machine = new FakeMachine()
  machine.set(1, 1)
  expect(() => startCpuShare({ scope: 'pod' as never })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
  const watch = startCpuShare({ scope: 'container', readFile: machine.readFile })
  machine.files.clear()
  const unsupported = expect.objectContaining({ code: 'ERR_BIO_UNSUPPORTED' })
  expect(() => watch.read()).toThrow(unsupported)
  expect(() => startCpuShare({ scope: 'container', readFile: machine.readFile })).toThrow(unsupported)
})
