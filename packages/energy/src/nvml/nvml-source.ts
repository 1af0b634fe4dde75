import { checkNumber, describeError } from '../check.js'
import { joinReadings } from '../reading/arithmetic.js'
import { directFeed, type CounterFeed } from '../sampler/counter-feed.js'
import { withReasons } from '../reading/reading.js'
import { CounterGroup } from '../sampler/counter-group.js'
import {
  monotonicSeconds,
  type Clock,
  type EnergyAccount,
  type EnergySource,
  type EnergySpan,
  type SourceOpening,
} from '../source.js'
import { findNvml } from './find-nvml.js'
import { GpuAccount, gpuJoules } from './gpu-account.js'
import type { NvmlDevice, NvmlLike } from './nvml-like.js'
import { visibleDevices, type CudaEnvironment } from './visible-devices.js'

export interface NvmlOptions {
  /** The library; by default the one that the optional package `@bio/kernels` opens. */
  readonly nvml?: NvmlLike
  /** How often a library that reads in the background does so, per second; 10 by default, 0.01 to 1000. */
  readonly hertz?: number
  /** Which GPUs are meant: `CUDA_VISIBLE_DEVICES` of this process by default. */
  readonly environment?: CudaEnvironment
  readonly now?: Clock
}

/**
 * The energy of NVIDIA GPUs, boards with their memory: counters on Volta and newer, each checked against the integrated power; the
 * integrated power alone, `derived`, where there is no counter. `CUDA_VISIBLE_DEVICES` chooses among the GPUs.
 *
 * A100 and H100 look at a quarter of the time; their bounds allow for any power in the rest.
 *
 * @throws `ERR_BIO_VALUE` for a rate out of range.
 */
export function nvmlSource(options: NvmlOptions = {}): EnergySource {
  const { hertz = 10 } = options
  checkNumber('nvmlSource', 'hertz', hertz, { minimum: 0.01, maximum: 1000 })
  return {
    name: 'nvml',
    component: 'gpu',
    method: 'measured',
    async open() {
      const search = options.nvml === undefined ? await findNvml() : { nvml: options.nvml }
      if ('nvml' in search) return openDevices(search.nvml, options)
      const { reason, ...rest } = search
      return { usable: false, reasons: [reason], ...rest }
    },
  }
}

function openDevices(
  nvml: NvmlLike,
  { hertz = 10, environment = process.env, now }: NvmlOptions,
): SourceOpening {
  let all: readonly NvmlDevice[]
  try {
    all = nvml.devices()
  } catch (error) {
    return { usable: false, reasons: [describeError(error)], present: true }
  }
  if (all.length === 0) return { usable: false, reasons: ['NVML lists no GPU'] }
  const { devices, reasons } = visibleDevices(all, environment)
  if (devices.length === 0) return { usable: false, reasons }
  const clock = now ?? monotonicSeconds
  const notes = [...reasons]
  const counted = devices.flatMap((device) => {
    const failure = counterFailure(nvml, device)
    const sensors = { hasCounter: failure === undefined, hasPower: tellsPower(nvml, device), now: clock }
    if (sensors.hasCounter || sensors.hasPower) return [{ device, account: new GpuAccount(device, sensors) }]
    const mig = device.mig === true ? ', divided into instances (MIG)' : ''
    notes.push(`gpu-${device.index} (${device.name}${mig}) is left out: ${failure}`)
    return []
  })
  if (counted.length === 0) return { usable: false, reasons: notes, present: true }
  const indices = counted.map(({ device }) => device.index)
  // The library's thread tells the time by the process's clock.
  const background = now === undefined ? nvml.sample?.({ indices, hertz }) : undefined
  const feed = background ?? readWhenAsked(nvml, indices, clock)
  const accounts = counted.map(({ account }) => account)
  return { usable: true, reasons: notes, account: new NvmlAccount(accounts, { feed, reasons: notes }) }
}

function readWhenAsked(nvml: NvmlLike, indices: readonly number[], now: Clock): CounterFeed {
  const reads = indices.flatMap((index) => [
    () => nvml.totalEnergyMillijoules(index),
    () => power(nvml, index),
  ])
  return directFeed(reads, now)
}

/** The sum over GPUs. */
class NvmlAccount implements EnergyAccount {
  readonly #accounts: readonly GpuAccount[]
  readonly #reasons: readonly string[]
  readonly #group: CounterGroup

  constructor(
    accounts: readonly GpuAccount[],
    { feed, reasons }: { readonly feed: CounterFeed; readonly reasons: readonly string[] },
  ) {
    this.#accounts = accounts
    this.#reasons = reasons
    this.#group = new CounterGroup(
      feed,
      accounts.flatMap((account) => [
        (sample) => account.takeEnergy(sample),
        (sample) => account.takePower(sample),
      ]),
    )
  }

  sample(): void {
    this.#group.pull()
  }

  startSpan(): EnergySpan {
    this.#group.pull()
    const spans = this.#accounts.map((account) => account.startSpan())
    return {
      read: () => {
        this.#group.pull()
        return withReasons(this.#reasons, joinReadings(spans.map((span) => span.read())))
      },
    }
  }

  close(): void {
    this.#group.close()
  }
}

function counterFailure(nvml: NvmlLike, { index }: NvmlDevice): string | undefined {
  try {
    const joules = gpuJoules(nvml.totalEnergyMillijoules(index))
    return typeof joules === 'string' ? joules : undefined
  } catch (error) {
    return describeError(error)
  }
}

function tellsPower(nvml: NvmlLike, { index }: NvmlDevice): boolean {
  try {
    power(nvml, index)
    return true
  } catch {
    return false
  }
}

function power(nvml: NvmlLike, index: number): number {
  if (nvml.powerMilliwatts === undefined) throw new Error('this binding does not tell power')
  return nvml.powerMilliwatts(index)
}
