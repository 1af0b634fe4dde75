import { cpus } from 'node:os'
import type { Boundary } from '../reading/reading.js'

/** A clock of CPU time. */
export interface CpuUsage {
  /** Seconds that CPUs were busy, summed over them, since whenever. Throws when it cannot be read. */
  readonly read: () => number
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

/** Busy seconds: user, nice, system, irq and softirq; guest time is within user time. */
export function parseProcStat(text: string): number {
  const match = /^cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m.exec(text)
  if (match === null) throw new Error('/proc/stat has no line of CPU times')
  const [user, nice, system, , , irq, softirq] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return (user + nice + system + irq + softirq) * tickSeconds
}

/** All CPUs where there is no `/proc/stat`. */
export function systemUsage(): CpuUsage {
  const count = cpus().length
  if (count === 0) throw new Error('the operating system lists no CPU')
  return {
    read: () =>
      cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000,
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
      return (user + system) / 1e6
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
    read: () => parseChildrenTime(readFile('/proc/self/stat')),
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
