import { BioError } from '@bio/errors'
import { availableParallelism } from 'node:os'
import { describeError, invalid } from '../check.js'
import { createReading, type AboveIdle, type Reading } from '../reading/reading.js'
import { containerUsage, findQuota } from './cgroup.js'
import { processUsage, procStatUsage, systemUsage, type CpuTimes, type CpuUsage } from './cpu-usage.js'
import { readKept } from './kept-file.js'

export interface CpuShareOptions {
  /** Whose share of the machine's busy CPU time: this process's by default, or its container's, which needs a quota. */
  readonly scope?: 'process' | 'container'
  /** Reads a file as text and throws Node's errors; for tests. */
  readonly readFile?: (path: string) => string
}

/** A share of all CPU time that was used, 0 to 1; an interval, because CPU clocks tick coarsely. */
export interface CpuShare {
  readonly low: number
  readonly likely: number
  readonly high: number
  /** CPU seconds of its own, of the whole machine, and that a host ran other virtual machines. */
  readonly ownSeconds: number
  readonly busySeconds: number
  readonly stolenSeconds: number
  /** In words. */
  readonly whose: string
}

/**
 * Watches from now on which share of the machine's busy CPU time is one's own: own / busy.
 *
 * @throws `ERR_BIO_VALUE` for another scope, `ERR_BIO_UNSUPPORTED` where CPU time cannot be read or the container has no quota; so does `read`.
 *
 * @example
 * ```ts
 * import { attributeReading, EnergyMeter, startCpuShare } from '@bio/energy'
 *
 * await using meter = await EnergyMeter.open()
 * using window = meter.begin('work')
 * const share = startCpuShare()
 * for (let i = 0; i < 1e6; i++) Math.hypot(i, 1)
 * console.log(attributeReading(window.end(), share.read()).boundary) // => process
 * ```
 */
export function startCpuShare(options: CpuShareOptions = {}): { read(): CpuShare } {
  const { scope = 'process', readFile = readKept } = options
  if (scope !== 'process' && scope !== 'container') {
    throw invalid('startCpuShare', "scope 'process' or 'container'", scope)
  }
  const machine = supported(() => machineUsage(readFile))
  const own = supported(() => ownUsage(scope, readFile))
  const before = supported(() => ({ own: own.read(), machine: machine.read() }))
  return {
    read: () =>
      shareSince(
        before,
        supported(() => ({ own: own.read(), machine: machine.read() })),
        { own, machine },
      ),
  }
}

interface Both<T> {
  readonly own: T
  readonly machine: T
}

function shareSince(
  before: Both<CpuTimes>,
  after: Both<CpuTimes>,
  { own, machine }: Both<CpuUsage>,
): CpuShare {
  const ownSeconds = Math.max(0, after.own.busy - before.own.busy)
  const busySeconds = Math.max(0, after.machine.busy - before.machine.busy)
  const least = busySeconds - machine.resolution
  const most = ownSeconds + own.resolution
  return {
    low: Math.min(1, Math.max(0, ownSeconds - own.resolution) / (busySeconds + machine.resolution)),
    likely: ownSeconds === 0 ? 0 : Math.min(1, ownSeconds / Math.max(busySeconds, ownSeconds)),
    high: most >= least ? 1 : most / least,
    ownSeconds,
    busySeconds,
    stolenSeconds: Math.max(0, after.machine.stolen - before.machine.stolen),
    whose: own.whose,
  }
}

/**
 * One's own part of a CPU's reading, by its share of the CPU time: share · E, of the part above idle where that is known, and then nobody's idle
 * power is in it. `derived` at best, boundary `process`. It takes every busy second for equally costly, which vector code, turbo and
 * neighbours on the same core are not; the bounds hold the clocks' ticks, not that.
 */
export function attributeReading(reading: Reading, share: CpuShare): Reading {
  if (reading.joules === null) return reading
  const { low, likely, high, whose } = share
  const whole = reading.aboveIdle ?? reading
  const part = {
    joules: likely * Math.max(0, whole.joules),
    low: low * Math.max(0, whole.low),
    high: high * Math.max(0, whole.high),
  }
  const method = reading.aboveIdle?.method ?? (reading.method === 'measured' ? 'derived' : reading.method)
  const aboveIdle: AboveIdle | null = reading.aboveIdle === null ? null : { ...reading.aboveIdle, ...part }
  const of = aboveIdle === null ? 'of all energy, idle power included' : 'of the energy above idle'
  const reason = `${whose} used ${(100 * likely).toFixed(0)} % of the busy CPU time: that share ${of}`
  return createReading({
    ...reading,
    ...part,
    aboveIdle,
    method,
    boundary: 'process',
    reasons: [...reading.reasons, reason],
  })
}

function machineUsage(readFile: (path: string) => string): CpuUsage {
  try {
    return procStatUsage(readFile)
  } catch {
    return systemUsage()
  }
}

function ownUsage(scope: 'process' | 'container', readFile: (path: string) => string): CpuUsage {
  if (scope === 'process') return processUsage(availableParallelism())
  const quota = findQuota(readFile)
  if (quota === undefined) throw new Error('no control group with a CPU quota')
  return containerUsage(quota)
}

function supported<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new BioError('ERR_BIO_UNSUPPORTED', {
      operation: 'startCpuShare',
      expected: 'CPU times of the machine and of its part',
      received: describeError(error),
      cause: error,
    })
  }
}
