import { availableParallelism, cpus } from 'node:os'
import { checkNumber, describeError, invalid } from '../check.js'
import { createReading, unavailableReading, type Reading } from '../reading/reading.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type EnergySpan,
} from '../source.js'
import { containerUsage, findQuota } from './cgroup.js'
import {
  childrenUsage,
  processUsage,
  procStatUsage,
  systemUsage,
  type CpuTimes,
  type CpuUsage,
} from './cpu-usage.js'
import { readKept } from './kept-file.js'
import { findMarked } from './marked-processes.js'
import {
  calibratedCurve,
  estimateJoules,
  generalCurve,
  powerBand,
  sharedCurve,
  type PowerCalibration,
  type PowerCurve,
} from './power-curve.js'

export type EstimateScope = 'machine' | 'process' | 'children'

export interface CpuEstimateOptions {
  /**
   * Whose CPU time: by default the container's where it has a quota, else the whole machine's; or this process's alone; or that of the
   * processes it started, counted as each ends.
   */
  readonly scope?: EstimateScope
  /**
   * For the scope `children`: a text `NAME=value` that the processes carry in their environment, given to them by whoever starts them. Those
   * that were left running count too then, until each read.
   */
  readonly mark?: string
  /** The machine's own power at both ends, from a meter at the wall, its management controller or RAPL of its host: narrows the band. */
  readonly calibration?: PowerCalibration
  /** Reads a file as text and throws Node's errors; for tests. */
  readonly readFile?: (path: string) => string
  readonly now?: Clock
}

/**
 * The energy of the CPU from how busy it was, where nothing can be measured: an estimate with a wide band, [1.4, 21] W per busy and
 * [0.26, 3.9] W per idle logical CPU (see `powerBand`). It can tell a run of two hours from one of two minutes; it cannot tell ten percent.
 * With a `calibration` the band is a quarter as wide.
 *
 * The scopes `process` and `children` leave out idle power, since others may have caused it; only the upper bound holds all of it.
 *
 * @throws `ERR_BIO_VALUE` for another scope, or a calibration that is not 0 ≤ idle ≤ busy watts.
 */
export function cpuEstimateSource(options: CpuEstimateOptions = {}): EnergySource {
  const { scope = 'machine', mark, calibration, readFile = readKept, now = monotonicSeconds } = options
  if (scope !== 'machine' && scope !== 'process' && scope !== 'children') {
    throw invalid('cpuEstimateSource', "scope 'machine', 'process' or 'children'", scope)
  }
  if (calibration !== undefined) checkCalibration(calibration)
  return {
    name: 'cpu-time',
    component: 'cpu',
    method: 'estimated',
    open() {
      try {
        const usage = findUsage(scope, { mark, readFile })
        usage.read()
        const whole = machineCurve(calibration)
        const curve = usage.ownsIdle ? whole.curve : sharedCurve(whole.curve)
        const reasons = [
          `estimated from the CPU time of ${usage.whose} on ${usage.cpus} logical CPUs, ${whole.description}`,
        ]
        return { usable: true, account: new EstimateAccount(usage, curve, { reasons, now }), reasons }
      } catch (error) {
        return { usable: false, reasons: [`CPU time cannot be read: ${describeError(error)}`] }
      }
    },
  }
}

function checkCalibration({ idleWatts, busyWatts }: PowerCalibration): void {
  checkNumber('cpuEstimateSource', 'calibration.idleWatts', idleWatts, { minimum: 0 })
  checkNumber('cpuEstimateSource', 'calibration.busyWatts', busyWatts, { minimum: idleWatts })
}

function machineCurve(calibration: PowerCalibration | undefined): { curve: PowerCurve; description: string } {
  const { idle, busy } = powerBand
  if (calibration === undefined) {
    const description = `each drawing ${busy.low} to ${busy.high} W busy and ${idle.low} to ${idle.high} W idle`
    return { curve: generalCurve, description }
  }
  const { idleWatts, busyWatts } = calibration
  const description = `of a machine that was said to draw ${idleWatts} W idle and ${busyWatts} W busy`
  return { curve: calibratedCurve(calibration, cpus().length || 1), description }
}

function findUsage(
  scope: EstimateScope,
  { mark, readFile }: { readonly mark: string | undefined; readonly readFile: (path: string) => string },
): CpuUsage {
  const quota = findQuota(readFile)
  const available = quota?.cpus ?? availableParallelism()
  if (scope === 'process') return processUsage(available)
  if (scope === 'children') {
    return childrenUsage(readFile, available, mark === undefined ? undefined : () => findMarked(mark))
  }
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
  readonly #curve: PowerCurve
  readonly #reasons: readonly string[]
  readonly #now: Clock

  constructor(usage: CpuUsage, curve: PowerCurve, options: { reasons: readonly string[]; now: Clock }) {
    this.#usage = usage
    this.#curve = curve
    this.#reasons = options.reasons
    this.#now = options.now
  }

  sample(): void {}

  startSpan(): EnergySpan {
    const before = this.#read()
    const start = this.#now()
    return {
      read: () => {
        const after = this.#read()
        return this.#reading(before, after, Math.max(0, this.#now() - start))
      },
    }
  }

  #reading(before: CpuTimes | string, after: CpuTimes | string, seconds: number): Reading {
    if (typeof before === 'string') return this.#unavailable(before, seconds)
    if (typeof after === 'string') return this.#unavailable(after, seconds)
    const { cpus: count, resolution, boundary } = this.#usage
    const busy = after.busy - before.busy
    if (busy < -resolution) return this.#unavailable('the clock of CPU time went back', seconds)
    const available = count * seconds
    const stolen = Math.min(available, Math.max(0, after.stolen - before.stolen))
    const { low, likely, high } = estimateJoules(
      { available, stolen, busy: { low: busy - resolution, likely: busy, high: busy + resolution } },
      this.#curve,
    )
    return createReading({
      joules: likely,
      low,
      high,
      method: 'estimated',
      source: 'cpu-time',
      domains: ['cpu'],
      boundary,
      seconds,
      samples: 2,
      reasons: this.#explain(stolen / available),
    })
  }

  /** `stolen`: the share of the CPUs' time that the host gave to others. */
  #explain(stolen: number): readonly string[] {
    const { notes = [] } = this.#usage
    if (!(stolen > notableSteal) && notes.length === 0) return this.#reasons
    const reasons = [...this.#reasons, ...notes]
    if (stolen > notableSteal) {
      const percent = (100 * stolen).toFixed(0)
      reasons.push(`the host ran others in ${percent} % of the CPUs' time: only the upper bound holds it`)
    }
    return reasons
  }

  #unavailable(reason: string, seconds: number): Reading {
    return unavailableReading({
      source: 'cpu-time',
      domains: ['cpu'],
      boundary: this.#usage.boundary,
      seconds,
      samples: 2,
      reasons: [...this.#reasons, reason],
    })
  }

  /** CPU seconds, or why they cannot be read. */
  #read(): CpuTimes | string {
    try {
      return this.#usage.read()
    } catch (error) {
      return describeError(error)
    }
  }
}

/** Less stolen time than this share is noise of the clock. */
const notableSteal = 0.01
