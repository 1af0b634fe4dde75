import { loadBinding } from './load.js'

/** NVIDIA's management library, as `@bio/energy` asks for it. Each call throws with the library's own words when it cannot answer. */
export interface Nvml {
  /** The GPUs of the machine; the power limit is absent where a device does not say. */
  devices(): readonly { readonly index: number; readonly name: string; readonly powerLimitMilliwatts?: number }[]
  /** Millijoules since the driver was loaded; Volta or newer. */
  totalEnergyMillijoules(index: number): number
}

/** NVML through the native binding. Throws ERR_BIO_NATIVE where there is no binary; a missing library is said by the calls. */
export function openNvml(): Nvml {
  const binding = loadBinding()
  return {
    devices: () => binding.nvmlDevices(),
    totalEnergyMillijoules: (index) => binding.nvmlTotalEnergy(index),
  }
}
