import type { CpuUsage } from './cpu-usage.js'

/** The CPU limit of a container. */
export interface CpuQuota {
  /** CPUs that it may fill, a fraction allowed. */
  readonly cpus: number
  /** Reads the CPU time of the group, in seconds; throws when it cannot. */
  readonly usage: () => number
}

type ReadFile = (path: string) => string

/** The quota of the control group that this process sees as its root, version 2 or 1; undefined where there is none. */
export function findQuota(readFile: ReadFile): CpuQuota | undefined {
  return (
    attempt(() => {
      const [quota, period] = readFile('/sys/fs/cgroup/cpu.max').trim().split(' ').map(Number)
      return limit(quota, period, () => {
        const usage = /^usage_usec (\d+)$/m.exec(readFile('/sys/fs/cgroup/cpu.stat'))?.[1]
        if (usage === undefined) throw new Error('cpu.stat has no usage_usec')
        return Number(usage) / 1e6
      })
    }) ??
    attempt(() => {
      const quota = Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'))
      const period = Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_period_us'))
      return limit(quota, period, () => {
        const nanoseconds = Number(readFile('/sys/fs/cgroup/cpuacct/cpuacct.usage'))
        if (!Number.isFinite(nanoseconds)) throw new Error('cpuacct.usage holds no number')
        return nanoseconds / 1e9
      })
    })
  )
}

/** A container's own CPU time, within its quota: the host's other tenants are not ours to count. */
export function containerUsage(quota: CpuQuota): CpuUsage {
  return {
    read: () => ({ busy: quota.usage(), stolen: 0 }),
    resolution: 0.01 * Math.max(1, quota.cpus),
    cpus: quota.cpus,
    boundary: 'process',
    ownsIdle: true,
    whose: 'this container',
  }
}

/** `max` and −1 say that there is no quota. */
function limit(quota = Number.NaN, period = Number.NaN, usage: () => number): CpuQuota | undefined {
  if (!(quota > 0 && period > 0)) return undefined
  usage() // a quota whose use cannot be read is of no help
  return { cpus: quota / period, usage }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
