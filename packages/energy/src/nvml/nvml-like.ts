import type { CounterFeed } from '../sampler/counter-feed.js'

/** The few calls of NVIDIA's management library that the meter needs; each throws with a reason when it cannot answer. */
export interface NvmlLike {
  devices(): readonly NvmlDevice[]
  /** Millijoules since the driver was loaded: `nvmlDeviceGetTotalEnergyConsumption`, Volta or newer. */
  totalEnergyMillijoules(index: number): number
  /** Milliwatts: `nvmlDeviceGetPowerUsage`. Without it there is nothing to check the counters against. */
  powerMilliwatts?(index: number): number
  /** Reads in the background: for each index its energy (mJ), then its power (mW). */
  sample?(options: { readonly indices: readonly number[]; readonly hertz: number }): CounterFeed
}

/** A GPU; what it does not say is absent. */
export interface NvmlDevice {
  readonly index: number
  readonly name: string
  readonly uuid?: string
  /** The enforced limit. */
  readonly powerLimitMilliwatts?: number
  /** CUDA's compute capability: 8 and 6 of 8.6. */
  readonly computeMajor?: number
  readonly computeMinor?: number
  /** Divided into instances, with these UUIDs. */
  readonly mig?: boolean
  readonly migUuids?: readonly string[]
}
