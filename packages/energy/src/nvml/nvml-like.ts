/** The few calls of NVIDIA's management library that the meter needs; each throws with a reason when it cannot answer. */
export interface NvmlLike {
  devices(): readonly NvmlDevice[]
  /** Millijoules since the driver was loaded: `nvmlDeviceGetTotalEnergyConsumption`, Volta or newer. */
  totalEnergyMillijoules(index: number): number
}

export interface NvmlDevice {
  readonly index: number
  readonly name: string
  /** The enforced limit; absent where the device does not say. */
  readonly powerLimitMilliwatts?: number
}
