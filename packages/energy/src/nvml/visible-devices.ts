import type { NvmlDevice } from './nvml-like.js'

/** GPUs that CUDA programs of this process may use, and what has to be said about the choice. */
export interface VisibleDevices {
  readonly devices: readonly NvmlDevice[]
  readonly reasons: readonly string[]
}

/** The variables that choose GPUs. */
export interface CudaEnvironment {
  readonly CUDA_VISIBLE_DEVICES?: string | undefined
  readonly CUDA_DEVICE_ORDER?: string | undefined
}

/**
 * Applies `CUDA_VISIBLE_DEVICES` as CUDA does: numbers, `GPU-…` UUIDs or prefixes that fit one GPU, and `MIG-…` instances, up to the first
 * entry that names nothing; a GPU named twice leaves none. Without the variable all GPUs are visible.
 */
export function visibleDevices(all: readonly NvmlDevice[], environment: CudaEnvironment): VisibleDevices {
  const wish = environment.CUDA_VISIBLE_DEVICES
  if (wish === undefined) return { devices: all, reasons: [] }
  const chosen = new Set<NvmlDevice>()
  const instances: string[] = []
  const entries = wish.split(',').map((entry) => entry.trim())
  for (const entry of entries) {
    const device = findDevice(all, entry)
    if (device === undefined) break
    const instance = entry.startsWith('MIG-')
    // Two instances may share a GPU; two mentions of a GPU are a mistake, for which CUDA shows none.
    if (chosen.has(device) && !instance)
      return { devices: [], reasons: [`CUDA_VISIBLE_DEVICES names ${entry} twice`] }
    if (instance)
      instances.push(`${entry} is a part of gpu-${device.index}, of which only the whole is counted`)
    chosen.add(device)
  }
  const reasons = [...instances]
  const numbered = entries.some((entry) => /^\d+$/.test(entry))
  const alike = all.every(({ name }) => name === all[0]!.name)
  if (chosen.size > 0 && numbered && !alike && environment.CUDA_DEVICE_ORDER !== 'PCI_BUS_ID') {
    reasons.push('CUDA may number GPUs by speed, and the meter by bus: set CUDA_DEVICE_ORDER=PCI_BUS_ID')
  }
  if (chosen.size === 0) reasons.push(`CUDA_VISIBLE_DEVICES=${wish} leaves no GPU`)
  return { devices: all.filter((device) => chosen.has(device)), reasons }
}

function findDevice(all: readonly NvmlDevice[], entry: string): NvmlDevice | undefined {
  if (/^\d+$/.test(entry)) return all.find(({ index }) => index === Number(entry))
  // Drivers before R470 name an instance MIG-GPU-<UUID of its GPU>/<instance>/<instance>.
  const owner = /^MIG-(GPU-[^/]+)\//.exec(entry)?.[1]
  if (entry.startsWith('MIG-') && owner === undefined) {
    return all.find(({ migUuids = [] }) => migUuids.includes(entry))
  }
  const prefix = owner ?? entry
  const fitting = all.filter(({ uuid }) => prefix.startsWith('GPU-') && uuid?.startsWith(prefix))
  return fitting.length === 1 ? fitting[0] : undefined
}
