import { BioError } from '@bio/errors'
import { loadBinding } from '../native/load.js'
import { checkHertz, CounterSampler } from './counter-sampler.js'

export interface OpenNvmlOptions {
  /** The library's file; by default the system's `libnvidia-ml.so.1`, `libnvidia-ml.so` or `nvml.dll`. */
  readonly path?: string
}

/** A GPU, with what the device itself says; what it does not say is absent. */
export interface NvmlDevice {
  readonly index: number
  readonly name: string
  readonly uuid?: string
  /** The enforced limit. */
  readonly powerLimitMilliwatts?: number
  /** CUDA's compute capability: 8 and 6 of 8.6. */
  readonly computeMajor?: number
  readonly computeMinor?: number
  /** The GPU is divided into instances, with these UUIDs. */
  readonly mig: boolean
  readonly migUuids: readonly string[]
}

/** NVIDIA's management library, as `@bio/energy` asks for it. Each call throws with the library's own words when it cannot answer. */
export interface Nvml {
  devices(): readonly NvmlDevice[]
  /** Millijoules since the driver was loaded; Volta or newer. */
  totalEnergyMillijoules(index: number): number
  /** A mean over the last second on Ampere and newer, GA100 excepted; there and before, the moment's. */
  powerMilliwatts(index: number): number
  /** Reads `hertz` times per second, from a thread of its own: for each index its energy (mJ), then its power (mW). */
  sample(options: { readonly indices: readonly number[]; readonly hertz?: number }): CounterSampler
}

/**
 * NVML through the native binding.
 *
 * @throws `ERR_BIO_NATIVE` where there is no binary; what the library says where it is missing or refuses.
 */
export function openNvml(options: OpenNvmlOptions = {}): Nvml {
  const library = loadBinding().openNvml(options.path)
  return {
    devices: () => library.devices(),
    totalEnergyMillijoules: (index) => library.totalEnergy(index),
    powerMilliwatts: (index) => library.power(index),
    sample: ({ indices, hertz = 10 }) => {
      checkHertz('Nvml.sample', hertz)
      checkIndices(indices)
      // The library's words name themselves.
      const names = indices.flatMap(() => ['', ''])
      return new CounterSampler(library.sample([...indices], hertz), names)
    },
  }
}

function checkIndices(indices: readonly number[]): void {
  if (
    indices.length > 0 &&
    indices.every((index) => Number.isInteger(index) && index >= 0 && index < 2 ** 32)
  )
    return
  throw new BioError('ERR_BIO_VALUE', {
    operation: 'Nvml.sample',
    expected: 'indices of at least one GPU, whole and not negative',
    received: JSON.stringify(indices),
  })
}
