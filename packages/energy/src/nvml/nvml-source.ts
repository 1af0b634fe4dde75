import { describeError } from '../check.js'
import { CounterAccount } from '../counter/counter-account.js'
import { joinReadings } from '../reading/arithmetic.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type EnergySpan,
  type SourceOpening,
} from '../source.js'
import { findNvml } from './native-nvml.js'
import type { NvmlDevice, NvmlLike } from './nvml-like.js'

export interface NvmlOptions {
  /** The library; by default the one that the optional package `@bio/kernels` opens. */
  readonly nvml?: NvmlLike
  readonly now?: Clock
}

/** The counter is refreshed every 20 to 100 ms; a window of 1 s is so known to about ±10 %, of 10 s to ±1 %. */
const refreshSeconds = 0.1

/** The energy counters of NVIDIA GPUs, Volta or newer: all GPUs of the machine, boards with their memory. */
export function nvmlSource(options: NvmlOptions = {}): EnergySource {
  const { nvml, now = monotonicSeconds } = options
  return {
    name: 'nvml',
    component: 'gpu',
    method: 'measured',
    async open() {
      const search = nvml === undefined ? await findNvml() : { nvml }
      if ('nvml' in search) return openDevices(search.nvml, now)
      const { reason, ...rest } = search
      return { usable: false, reasons: [reason], ...rest }
    },
  }
}

function openDevices(nvml: NvmlLike, now: Clock): SourceOpening {
  let devices: readonly NvmlDevice[]
  try {
    devices = nvml.devices()
  } catch (error) {
    return { usable: false, reasons: [describeError(error)], present: true }
  }
  if (devices.length === 0) return { usable: false, reasons: ['NVML lists no GPU'] }
  const reasons: string[] = []
  const accounts = devices.flatMap((device) => {
    try {
      readEnergy(nvml, device)
      return [new CounterAccount(counter(nvml, device), now)]
    } catch (error) {
      reasons.push(`gpu-${device.index} (${device.name}) is left out: ${describeError(error)}`)
      return []
    }
  })
  if (accounts.length === 0) return { usable: false, reasons, present: true }
  return { usable: true, reasons, account: new NvmlAccount(accounts, reasons) }
}

/** The sum over GPUs. */
class NvmlAccount implements EnergyAccount {
  readonly #accounts: readonly CounterAccount[]
  readonly #reasons: readonly string[]

  constructor(accounts: readonly CounterAccount[], reasons: readonly string[]) {
    this.#accounts = accounts
    this.#reasons = reasons
  }

  sample(): void {
    for (const account of this.#accounts) account.sample()
  }

  startSpan(): EnergySpan {
    const spans = this.#accounts.map((account) => account.startSpan())
    return {
      read: () => {
        const joined = joinReadings(spans.map((span) => span.read()))
        return { ...joined, reasons: [...this.#reasons, ...joined.reasons] }
      },
    }
  }
}

function counter(nvml: NvmlLike, device: NvmlDevice): CounterAccount['counter'] {
  const { index, powerLimitMilliwatts = 0 } = device
  return {
    source: 'nvml',
    domain: `gpu-${index}`,
    read: () => readEnergy(nvml, device),
    modulus: null,
    unit: 0.001,
    // Boards exceed their limit for less than a refresh; where none is known, above every board sold in 2026.
    maxWatts: powerLimitMilliwatts > 0 ? (powerLimitMilliwatts / 1000) * 1.25 : 2000,
    refreshSeconds,
    stuckAfterSeconds: 3,
  }
}

/** Joules. */
function readEnergy(nvml: NvmlLike, { index }: NvmlDevice): number {
  const millijoules = nvml.totalEnergyMillijoules(index)
  if (!(Number.isFinite(millijoules) && millijoules >= 0)) {
    throw new Error(`NVML gave ${millijoules} as the energy of gpu-${index}`)
  }
  return millijoules / 1000
}
