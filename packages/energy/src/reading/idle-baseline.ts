import { BioError } from '@bio/errors'
import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkNumber } from '../check.js'
import { createReading, type AboveIdle, type KnownReading, type Method, type Reading } from './reading.js'

/** What can be asked for the energy from now on, as an `EnergyMeter` can. */
export interface IdleMeter {
  begin(label?: string): { end(): Reading }
}

export interface CalibrateIdleOptions {
  readonly meter: IdleMeter
  /** How long the machine is watched, 10 by default, 0.1 to 3600. Let it do nothing else. */
  readonly seconds?: number
  readonly signal?: AbortSignal
}

/** What the chips draw when nothing is asked of them, and when that was found. Plain data: keep it, and take it anew after hardware, fans or governors change. */
export interface IdleBaseline {
  /** Watts. */
  readonly watts: number
  readonly low: number
  readonly high: number
  readonly method: Exclude<Method, 'unavailable'>
  readonly source: string
  readonly domains: readonly string[]
  readonly seconds: number
  /** ISO 8601. */
  readonly calibratedAt: string
  /** The share of the CPUs that was busy meanwhile, 0 to 1. */
  readonly busyShare: number
  readonly reasons: readonly string[]
}

/** Idle power moves with fans, timers and other programs; so many parts of the time show by how much. */
const parts = 10
const busyLimit = 0.05

/**
 * Watches an idle machine and gives its power, P = E / seconds, with bounds that hold the meter's and the spread of ten parts of the time.
 *
 * @throws `ERR_BIO_VALUE` for seconds out of range, `ERR_BIO_ENERGY_UNKNOWN` when the meter cannot say, the signal's reason when aborted.
 *
 * @example
 * ```ts
 * import { calibrateIdle, EnergyMeter, subtractIdle } from '@bio/energy'
 *
 * await using meter = await EnergyMeter.open()
 * const baseline = await calibrateIdle({ meter, seconds: 0.5 })
 * const { energy } = await meter.measure(() => Math.hypot(3, 4), { repeat: 50 })
 * console.log(subtractIdle(energy, baseline).aboveIdle?.calibratedAt === baseline.calibratedAt) // => true
 * ```
 */
export async function calibrateIdle(options: CalibrateIdleOptions): Promise<IdleBaseline> {
  const { meter, seconds = 10, signal } = options
  checkNumber('calibrateIdle', 'seconds', seconds, { minimum: 0.1, maximum: 3600 })
  const calibratedAt = new Date().toISOString()
  const busyBefore = busyAndIdle()
  const whole = meter.begin('idle')
  const powers: number[] = []
  for (let part = 0; part < parts; part++) {
    const window = meter.begin('idle part')
    signal?.throwIfAborted()
    await sleep((seconds / parts) * 1000, undefined, { signal }).catch(() => signal?.throwIfAborted())
    powers.push(watts(known(window.end())))
  }
  const reading = known(whole.end())
  const mean = watts(reading)
  const [busy, idle] = busyAndIdle().map((time, index) => time - busyBefore[index]!) as [number, number]
  const busyShare = busy + idle > 0 ? busy / (busy + idle) : 0
  const { method, source, domains } = reading
  return {
    watts: mean,
    low: Math.max(0, Math.min(reading.low / reading.seconds, ...powers)),
    high: Math.max(reading.high / reading.seconds, ...powers),
    method,
    source,
    domains,
    seconds: reading.seconds,
    calibratedAt,
    busyShare,
    reasons:
      busyShare > busyLimit
        ? [
            `the CPUs were ${(100 * busyShare).toFixed(0)} % busy while idle power was taken: it is too high, and what lies above it too low`,
          ]
        : [],
  }
}

/**
 * The same reading with its part above idle: E − P_idle·seconds, `derived` at best. A reading of other domains than the baseline's keeps none, and
 * says so; so does an unknown one.
 */
export function subtractIdle(reading: Reading, baseline: IdleBaseline): Reading {
  if (reading.joules === null) return reading
  const { joules, low, high, seconds } = reading
  if (!sameDomains(reading.domains, baseline.domains)) {
    const reason = `idle power is known of ${list(baseline.domains)}, not of ${list(reading.domains)}`
    return { ...reading, aboveIdle: null, reasons: [...reading.reasons, reason] }
  }
  const aboveIdle: AboveIdle = {
    joules: joules - baseline.watts * seconds,
    low: low - baseline.high * seconds,
    high: high - baseline.low * seconds,
    method: [reading.method, baseline.method].includes('estimated') ? 'estimated' : 'derived',
    calibratedAt: baseline.calibratedAt,
  }
  return createReading({ ...reading, aboveIdle, reasons: [...reading.reasons, ...baseline.reasons] })
}

function known(reading: Reading): KnownReading {
  if (reading.joules !== null && reading.seconds > 0) return reading
  throw new BioError('ERR_BIO_ENERGY_UNKNOWN', {
    operation: 'calibrateIdle',
    expected: 'a meter that knows the energy of an idle machine',
    received: reading.reasons.join('; ') || 'a reading of no time',
    hint: 'See meter.sources() for what would let it',
  })
}

function watts({ joules, seconds }: KnownReading): number {
  return joules / seconds
}

/** Milliseconds that all CPUs together were busy and idle since they started. */
function busyAndIdle(): readonly [number, number] {
  const times = cpus().map((cpu) => cpu.times)
  const idle = times.reduce((sum, time) => sum + time.idle, 0)
  return [times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.irq, 0), idle]
}

function sameDomains(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((domain) => right.includes(domain))
}

function list(domains: readonly string[]): string {
  return domains.join(', ') || 'nothing named'
}
