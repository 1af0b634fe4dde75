import { cpus } from 'node:os'
import type { Boundary } from '../reading/reading.js'

/** Seconds since whenever, summed over CPUs. */
export interface CpuTimes {
  readonly busy: number
  /** That a virtual machine's CPUs had work and the host ran others. */
  readonly stolen: number
}

/** A clock of CPU time. */
export interface CpuUsage {
  /** Throws when it cannot be read. */
  readonly read: () => CpuTimes
  /** How far one read may lag behind, in CPU seconds. */
  readonly resolution: number
  /** Logical CPUs that this usage may fill. */
  readonly cpus: number
  readonly boundary: Boundary
  /** The CPUs are reserved for it, so their idle power is its own. */
  readonly ownsIdle: boolean
  /** Whose CPU time, in words. */
  readonly whose: string
}

/** The tick in which Linux reports CPU time, whatever the kernel's own. */
const tickSeconds = 0.01

/** All CPUs of a Linux machine, from the first line of `/proc/stat`; time stolen by other virtual machines is not ours. */
export function procStatUsage(readFile: (path: string) => string): CpuUsage {
  const text = readFile('/proc/stat')
  const count = text.match(/^cpu\d+ /gm)?.length ?? 0
  if (count === 0) throw new Error('/proc/stat lists no CPU')
  return {
    read: () => parseProcStat(readFile('/proc/stat')),
    resolution: tickSeconds * count,
    cpus: count,
    boundary: 'device',
    ownsIdle: true,
    whose: 'the whole machine',
  }
}

/** Busy are user, nice, system, irq and softirq; guest time is within user time. Kernels of before 2.6.11 tell no steal. */
export function parseProcStat(text: string): CpuTimes {
  const match = /^cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)(?: (\d+))?/m.exec(text)
  if (match === null) throw new Error('/proc/stat has no line of CPU times')
  const [user, nice, system, , , irq, softirq, steal = 0] = match
    .slice(1)
    .filter((field) => field !== undefined)
    .map(Number) as [number, number, number, number, number, number, number, number?]
  return { busy: (user + nice + system + irq + softirq) * tickSeconds, stolen: steal * tickSeconds }
}

/** All CPUs where there is no `/proc/stat`. */
export function systemUsage(): CpuUsage {
  const count = cpus().length
  if (count === 0) throw new Error('the operating system lists no CPU')
  return {
    read: () => ({
      busy:
        cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000,
      stolen: 0,
    }),
    resolution: tickSeconds * count,
    cpus: count,
    boundary: 'device',
    ownsIdle: true,
    whose: 'the whole machine',
  }
}

/** This process and its threads, on `available` CPUs. */
export function processUsage(available: number): CpuUsage {
  return {
    read: () => {
      const { user, system } = process.cpuUsage()
      return { busy: (user + system) / 1e6, stolen: 0 }
    },
    resolution: tickSeconds,
    cpus: available,
    boundary: 'process',
    ownsIdle: false,
    whose: 'this process',
  }
}

/**
 * The processes that this one started, and those that they started, each once it has ended and its parent has waited for it; one that
 * outlives its parent is not in it. Linux alone tells.
 */
export function childrenUsage(readFile: (path: string) => string, available: number): CpuUsage {
  return {
    read: () => ({ busy: parseChildrenTime(readFile('/proc/self/stat')), stolen: 0 }),
    resolution: 2 * tickSeconds,
    cpus: available,
    boundary: 'process',
    ownsIdle: false,
    whose: 'the processes that this one started',
  }
}

/** Fields 16 and 17, cutime and cstime, counted from the parenthesis that ends the name, which may hold anything. */
export function parseChildrenTime(text: string): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[13]) + Number(fields[14])
  if (!Number.isFinite(ticks)) throw new Error('/proc/self/stat has no CPU time of children')
  return ticks * tickSeconds
}
