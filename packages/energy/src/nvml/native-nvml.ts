import { existsSync } from 'node:fs'
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
  let kernels: object
  try {
    kernels = await import('@bio/kernels')
  } catch {
    return {
      reason: 'an NVIDIA driver is here, but not the package that reads its library',
      cure: 'Install @bio/kernels.',
      present: process.platform === 'linux',
    }
  }
  if ('openNvml' in kernels && typeof kernels.openNvml === 'function') {
    try {
      return { nvml: (kernels.openNvml as () => NvmlLike)() }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      return { reason, present: process.platform === 'linux' }
    }
  }
  return {
    reason: 'the installed @bio/kernels does not read NVML',
    present: process.platform === 'linux',
  }
}
