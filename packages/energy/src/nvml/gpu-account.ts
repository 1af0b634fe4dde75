import { CounterAccount, type CounterSample } from '../counter/counter-account.js'
import { PowerAccount } from '../counter/power-account.js'
import { createReading, unavailableReading, type KnownReading, type Reading } from '../reading/reading.js'
import type { Clock, EnergySpan } from '../source.js'
import type { NvmlDevice } from './nvml-like.js'

/** The counter and the power are refreshed every 20 to 100 ms: a window of 1 s is so known to about ±10 %, of 10 s to ±1 %. */
const refreshSeconds = 0.1

/** NVIDIA's own accuracy of power: ±5 %. Two sensors that differ by less say the same. */
const tolerance = 0.05

/** A100 and H100 look at 25 ms of every 100 ms (Yang et al., SC24, arXiv 2312.02741). */
const partTimeShare = 0.25

/** What a GPU has; one of both at least. */
export interface GpuSensors {
  readonly hasCounter: boolean
  readonly hasPower: boolean
  readonly now: Clock
}

/** The energy counter of one GPU, checked against its integrated power; the power alone where there is no counter. */
export class GpuAccount {
  readonly #counter: CounterAccount | undefined
  readonly #power: PowerAccount | undefined
  readonly #maxWatts: number
  readonly #seenShare: number
  readonly #domain: string

  constructor(device: NvmlDevice, { hasCounter, hasPower, now }: GpuSensors) {
    const { index, powerLimitMilliwatts = 0, computeMajor = 0, computeMinor = 0 } = device
    const compute = computeMajor * 10 + computeMinor
    // Boards exceed their limit for less than a refresh; where none is known, above every board sold in 2026.
    this.#maxWatts = powerLimitMilliwatts > 0 ? (powerLimitMilliwatts / 1000) * 1.25 : 2000
    this.#seenShare = compute === 80 || compute === 90 ? partTimeShare : 1
    this.#domain = `gpu-${index}`
    const shared = { source: 'nvml', domain: this.#domain, maxWatts: this.#maxWatts, refreshSeconds }
    const counter = { ...shared, modulus: null, unit: 0.001, stuckAfterSeconds: 3 }
    this.#counter = hasCounter ? new CounterAccount(counter, now) : undefined
    // A trailing mean of 1 s on Ampere and newer, GA100 (8.0) excepted; a moment's power there and before.
    const averagingSeconds = compute > 80 ? 1 : compute === 80 ? partTimeShare * refreshSeconds : 0
    const power = { ...shared, averagingSeconds, unitWatts: 0.001, assumptions: [] }
    this.#power = hasPower ? new PowerAccount(power, now) : undefined
  }

  takeEnergy({ value, time, since = time }: CounterSample): void {
    this.#counter?.take({ value: typeof value === 'number' ? gpuJoules(value) : value, time, since })
  }

  takePower({ value, time, since = time }: CounterSample): void {
    this.#power?.take({ value: typeof value === 'number' ? value / 1000 : value, time, since })
  }

  startSpan(): EnergySpan {
    const counted = this.#counter?.startSpan()
    const integrated = this.#power?.startSpan()
    return { read: () => this.#choose(counted?.read(), integrated?.read()) }
  }

  #choose(counted: Reading | undefined, integrated: Reading | undefined): Reading {
    if (counted === undefined) return integrated!
    if (counted.joules !== null) return this.#allowForUnseen(this.#check(counted, integrated))
    if (integrated === undefined) return counted
    const reasons = [...counted.reasons, ...integrated.reasons]
    return integrated.joules === null
      ? unavailableReading({ ...counted, reasons })
      : { ...integrated, reasons }
  }

  /** Two sensors that contradict one another: both are told, the bounds hold both, and nothing is measured. */
  #check(counted: KnownReading, integrated: Reading | undefined): KnownReading {
    if (integrated === undefined || integrated.joules === null) return counted
    const apart =
      counted.high * (1 + tolerance) < integrated.low || counted.low > integrated.high * (1 + tolerance)
    if (!apart) return counted
    const reason = `${this.#domain}: its counter says ${range(counted)}, its power integrated ${range(integrated)}`
    return createReading({
      ...counted,
      low: Math.min(counted.low, integrated.low),
      high: Math.max(counted.high, integrated.high),
      method: 'estimated',
      reasons: [...counted.reasons, reason],
    }) as KnownReading
  }

  /** What a sensor that looks at a share of the time shows is that share's power; in the rest, any power was possible. */
  #allowForUnseen(reading: KnownReading): Reading {
    const share = this.#seenShare
    if (share === 1) return reading
    const unseen = (1 - share) * this.#maxWatts * reading.seconds
    const reason = `${this.#domain}: its sensor looks at about ${share * 100} % of the time`
    return createReading({
      ...reading,
      low: share * reading.low,
      high: Math.max(reading.high, share * reading.high + unseen),
      coverage: share * reading.coverage,
      reasons: [...reading.reasons, reason],
    })
  }
}

/** The joules that a counter of millijoules stands for, or why it cannot be so. */
export function gpuJoules(millijoules: number): number | string {
  // 2^53 mJ are 1 kW for 285 years: what is beyond is a sentinel.
  if (millijoules >= 0 && millijoules <= 2 ** 53) return millijoules / 1000
  return `NVML gave ${millijoules} mJ`
}

function range({ joules, low, high }: KnownReading): string {
  const [middle, least, most] = [joules, low, high].map((value) => Number(value.toPrecision(4)))
  return `${middle} J (${least} to ${most})`
}
