import { existsSync } from 'node:fs'
import { describeError } from '../check.js'
import { findNativeCounters } from '../sampler/native-sampler.js'
import type { NvmlLike } from './nvml-like.js'

/** What was found: the library, or why there is none. */
export type NvmlSearch =
  | { readonly nvml: NvmlLike }
  | { readonly reason: string; readonly present: boolean; readonly cure?: string }

/** NVIDIA's driver on Linux, and its door into the Windows Subsystem for Linux. */
const driverTraces = ['/proc/driver/nvidia', '/dev/nvidiactl', '/usr/lib/wsl/lib/libnvidia-ml.so.1']

/** Asks the native binding of `@bio/kernels` for NVML, when both a driver and that package are there. */
export async function findNvml(): Promise<NvmlSearch> {
  if (process.platform === 'linux' && !driverTraces.some((path) => existsSync(path))) {
    return { reason: 'no NVIDIA driver on this machine', present: false }
  }
  if (process.platform !== 'linux' && process.platform !== 'win32') {
    return { reason: `NVIDIA has no driver for ${process.platform}`, present: false }
  }
  const counters = await findNativeCounters()
  if (counters === undefined) {
    return {
      reason: 'an NVIDIA driver is here, but not the package that reads its library',
      cure: 'Install @bio/kernels.',
      present: true,
    }
  }
  try {
    return { nvml: counters.openNvml() }
  } catch (error) {
    return { reason: describeError(error), present: true }
  }
}
