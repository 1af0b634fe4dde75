import { describeError, invalid } from '../check.js'
import { CounterAccount } from '../counter/counter-account.js'
import { errorCode, readCount, systemFiles, type PowercapFiles } from '../powercap/powercap-files.js'
import { createReading, type Reading } from '../reading/reading.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type EnergySpan,
  type SourceOpening,
} from '../source.js'
import { DeviceAccount } from './device-account.js'

export interface BatteryOptions {
  /** The folder of power supplies; `/sys/class/power_supply` by default. */
  readonly root?: string
  readonly files?: PowercapFiles
  readonly now?: Clock
}

const sampleSeconds = 1
/** Its controller tells a new value after seconds, at the latest after these; no notebook draws more than these watts. */
const [refreshSeconds, maxWatts] = [30, 250]
/** Batteries count in steps of 10 mWh and 1 mAh, or coarser: a coarse step shows as a value that stands still, and is in the bounds. */
const [energyStep, chargeStep] = [36, 3.6]

/**
 * A notebook's battery while it discharges: the whole computer, display and all, so use it as the only source. Boundary `node`.
 *
 * Steps are coarse and seldom: windows of minutes are known to some percent, of seconds to nothing. Where the battery counts charge, energy is
 * charge times voltage, between the least and the highest voltage that was seen. On mains power readings are unavailable.
 *
 * @throws `ERR_BIO_VALUE` for an empty root.
 */
export function batterySource(options: BatteryOptions = {}): EnergySource {
  const { root = '/sys/class/power_supply', files = systemFiles, now = monotonicSeconds } = options
  if (root === '') throw invalid('batterySource', 'root to name a folder', root)
  return { name: 'battery', component: 'node', method: 'measured', open: () => open(root, files, now) }
}

function open(root: string, files: PowercapFiles, now: Clock): SourceOpening {
  let folders: string[]
  try {
    folders = files.list(root).filter((folder) => isSystemBattery(files, `${root}/${folder}`))
  } catch (error) {
    return { usable: false, present: false, reasons: [`${root} cannot be listed (${errorCode(error)})`] }
  }
  if (folders.length === 0)
    return { usable: false, present: false, reasons: [`${root} has no battery of the computer`] }
  try {
    const batteries = folders.map((folder) => {
      const battery = new BatteryAccount(files, `${root}/${folder}`, folder.toLowerCase(), now)
      battery.readVoltage()
      return battery
    })
    // That it discharges is asked at every read: mains power comes and goes.
    return {
      usable: true,
      reasons: [],
      account: new DeviceAccount(batteries, { reasons: [], sampleSeconds }),
    }
  } catch (error) {
    return { usable: false, present: true, reasons: [describeError(error)] }
  }
}

/** Mice and headsets have batteries too, of scope `Device`. */
function isSystemBattery(files: PowercapFiles, path: string): boolean {
  const read = (name: string): string => {
    try {
      return files.read(`${path}/${name}`).trim()
    } catch {
      return ''
    }
  }
  return read('type') === 'Battery' && read('scope') !== 'Device' && read('present') !== '0'
}

/** What a battery gave, as a counter that goes up: joules, or coulombs that a voltage turns into joules. */
class BatteryAccount implements EnergyAccount {
  readonly #files: PowercapFiles
  readonly #path: string
  readonly #counter: CounterAccount
  readonly #counts: 'energy' | 'charge'
  #least = Infinity
  #highest = 0

  constructor(files: PowercapFiles, path: string, domain: string, now: Clock) {
    this.#files = files
    this.#path = path
    this.#counts = files.list(path).includes('energy_now') ? 'energy' : 'charge'
    const [unit, most] =
      this.#counts === 'energy' ? [energyStep, maxWatts] : [chargeStep, maxWatts / leastVoltage(files, path)]
    this.#counter = new CounterAccount(
      {
        source: 'battery',
        domain,
        read: () => this.#given(),
        modulus: null,
        unit,
        maxWatts: most,
        refreshSeconds,
        stuckAfterSeconds: 600,
      },
      now,
    )
  }

  sample(): void {
    this.#counter.sample()
  }

  startSpan(): EnergySpan {
    const span = this.#counter.startSpan()
    return { read: () => this.#joules(span.read()) }
  }

  /** Takes the voltage in; throws when it is needed and cannot be read. */
  readVoltage(): void {
    if (this.#counts === 'energy') return
    const volts = readCount(this.#files, `${this.#path}/voltage_now`) / 1e6
    this.#least = Math.min(this.#least, volts)
    this.#highest = Math.max(this.#highest, volts)
  }

  #given(): number {
    const status = this.#files.read(`${this.#path}/status`).trim()
    if (status !== 'Discharging') throw new Error(`it tells nothing while its status is ${status}`)
    this.readVoltage()
    return -readCount(this.#files, `${this.#path}/${this.#counts}_now`) * 3600e-6
  }

  #joules(reading: Reading): Reading {
    if (reading.joules === null) return { ...reading, boundary: 'node' }
    if (this.#counts === 'energy') return createReading({ ...reading, boundary: 'node' })
    return createReading({
      ...reading,
      joules: (reading.joules * (this.#least + this.#highest)) / 2,
      low: reading.low * this.#least,
      high: reading.high * this.#highest,
      method: reading.method === 'measured' ? 'derived' : reading.method,
      boundary: 'node',
      reasons: [...reading.reasons, 'charge times voltage'],
    })
  }
}

/** A battery under load has no less than two thirds of the voltage that it was designed for. */
function leastVoltage(files: PowercapFiles, path: string): number {
  const name = files.list(path).includes('voltage_min_design') ? 'voltage_min_design' : 'voltage_now'
  return ((readCount(files, `${path}/${name}`) / 1e6) * 2) / 3
}
