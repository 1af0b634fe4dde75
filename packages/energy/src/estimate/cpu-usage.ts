import { cpus } from 'node:os'
import type { Boundary } from '../reading/reading.js'
import type { MarkedProcesses } from './marked-processes.js'

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
  /** What the last read left out, in words. */
  readonly notes?: readonly string[]
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
 * The processes that this one started, and those that they started, each once it has ended and its parent has waited for it. With `marked`
 * also those of them that run still, whoever their parent is now. One that outlived its parent and has ended is in neither. Linux alone tells.
 */
export function childrenUsage(
  readFile: (path: string) => string,
  available: number,
  marked: () => MarkedProcesses = () => ({ count: 0, seconds: 0 }),
): CpuUsage {
  let running = 0
  return {
    read: () => {
      const { count, seconds } = marked()
      running = count
      // No second is in both: a process hands its time to its parent when it is waited for, and is gone then.
      return { busy: parseChildrenTime(readFile('/proc/self/stat')) + seconds, stolen: 0 }
    },
    get resolution() {
      return (2 + 4 * running) * tickSeconds
    },
    get notes() {
      if (running === 0) return []
      const which = running === 1 ? '1 process that was' : `${running} processes that were`
      return [`${which} left running: counted until now, not what they use from now on`]
    },
    cpus: available,
    boundary: 'process',
    ownsIdle: false,
    whose: 'the processes that this one started, without those that outlived their parent and have ended',
  }
}

/** Fields 16 and 17, cutime and cstime. */
export function parseChildrenTime(text: string): number {
  return sumTicks(text, [13, 14])
}

/** Fields 14 to 17: utime, stime, cutime and cstime. */
export function parseOwnAndChildrenTime(text: string): number {
  return sumTicks(text, [11, 12, 13, 14])
}

/** Fields of a process's `stat`, counted from the parenthesis that ends the name, which may hold anything. */
function sumTicks(text: string, indices: readonly number[]): number {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = indices.reduce((sum, index) => sum + Number(fields[index]), 0)
  if (!Number.isFinite(ticks)) throw new Error('its stat has no CPU time of children')
  return ticks * tickSeconds
}
