import { availableParallelism } from 'node:os'
import { describeError, invalid } from '../check.js'
import { createReading, unavailableReading } from '../reading/reading.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type EnergySpan,
} from '../source.js'
import { containerUsage, findQuota } from './cgroup.js'
import { childrenUsage, processUsage, procStatUsage, systemUsage, type CpuUsage } from './cpu-usage.js'
import { readKept } from './kept-file.js'
import { estimateJoules, powerBand, sharedPowerBand } from './power-band.js'

export type EstimateScope = 'machine' | 'process' | 'children'

export interface CpuEstimateOptions {
  /**
   * Whose CPU time: by default the container's where it has a quota, else the whole machine's; or this process's alone; or that of the
   * processes it started, counted as each ends.
   */
  readonly scope?: EstimateScope
  /** Reads a file as text and throws Node's errors; for tests. */
  readonly readFile?: (path: string) => string
  readonly now?: Clock
}

/**
 * The energy of the CPU from how busy it was, where nothing can be measured: an estimate with a wide band, [1, 15] W per busy and
 * [0.15, 3] W per idle logical CPU. It can tell a run of two hours from one of two minutes; it cannot tell ten percent.
 *
 * The scopes `process` and `children` leave out idle power, since others may have caused it; only the upper bound holds all of it.
 *
 * @throws `ERR_BIO_VALUE` for another scope.
 */
export function cpuEstimateSource(options: CpuEstimateOptions = {}): EnergySource {
  const { scope = 'machine', readFile = readKept, now = monotonicSeconds } = options
  if (scope !== 'machine' && scope !== 'process' && scope !== 'children') {
    throw invalid('cpuEstimateSource', "scope 'machine', 'process' or 'children'", scope)
  }
  return {
    name: 'cpu-time',
    component: 'cpu',
    method: 'estimated',
    open() {
      try {
        const usage = findUsage(scope, readFile)
        usage.read()
        const reasons = [
          `estimated from the CPU time of ${usage.whose} on ${usage.cpus} logical CPUs, each drawing ` +
            `${powerBand.busy.low} to ${powerBand.busy.high} W busy and ${powerBand.idle.low} to ${powerBand.idle.high} W idle`,
        ]
        return { usable: true, account: new EstimateAccount(usage, reasons, now), reasons }
      } catch (error) {
        return { usable: false, reasons: [`CPU time cannot be read: ${describeError(error)}`] }
      }
    },
  }
}

function findUsage(scope: EstimateScope, readFile: (path: string) => string): CpuUsage {
  const quota = findQuota(readFile)
  const available = quota?.cpus ?? availableParallelism()
  if (scope === 'process') return processUsage(available)
  if (scope === 'children') return childrenUsage(readFile, available)
  if (quota !== undefined) return containerUsage(quota)
  try {
    return procStatUsage(readFile)
  } catch {
    return systemUsage()
  }
}

/** Spans over a clock of CPU time. It never wraps, so there is nothing to sample in between. */
class EstimateAccount implements EnergyAccount {
  readonly #usage: CpuUsage
  readonly #reasons: readonly string[]
  readonly #now: Clock

  constructor(usage: CpuUsage, reasons: readonly string[], now: Clock) {
    this.#usage = usage
    this.#reasons = reasons
    this.#now = now
  }

  sample(): void {}

  startSpan(): EnergySpan {
    const { cpus, resolution, boundary, ownsIdle } = this.#usage
    const before = this.#read()
    const start = this.#now()
    return {
      read: () => {
        const after = this.#read()
        const seconds = Math.max(0, this.#now() - start)
        const fields = { source: 'cpu-time', domains: ['cpu'], boundary, seconds, samples: 2 }
        const failure = typeof before === 'string' ? before : typeof after === 'string' ? after : undefined
        const busy = Number(after) - Number(before)
        if (failure !== undefined || busy < -resolution) {
          const reason = failure ?? 'the clock of CPU time went back'
          return unavailableReading({ ...fields, reasons: [...this.#reasons, reason] })
        }
        const { low, likely, high } = estimateJoules(
          cpus * seconds,
          { low: busy - resolution, likely: busy, high: busy + resolution },
          ownsIdle ? powerBand : sharedPowerBand,
        )
        return createReading({
          ...fields,
          joules: likely,
          low,
          high,
          method: 'estimated',
          reasons: this.#reasons,
        })
      },
    }
  }

  /** CPU seconds, or why they cannot be read. */
  #read(): number | string {
    try {
      return this.#usage.read()
    } catch (error) {
      return describeError(error)
    }
  }
}
