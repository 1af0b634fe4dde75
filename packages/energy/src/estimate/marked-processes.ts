import { systemFiles, type PowercapFiles } from '../powercap/powercap-files.js'
import { parseOwnAndChildrenTime } from './cpu-usage.js'

/** Running processes, and the CPU seconds of each and of the children that it waited for. */
export interface MarkedProcesses {
  readonly count: number
  readonly seconds: number
}

/**
 * The running processes that carry `mark`, a text `NAME=value`, in the environment that they were started with. Children inherit it, also
 * those that left their parent, process group and session; only a process that was given another environment, or is another user's, escapes.
 * Linux alone tells.
 */
export function findMarked(mark: string, files: PowercapFiles = systemFiles): MarkedProcesses {
  let [count, seconds] = [0, 0]
  for (const id of files.list('/proc')) {
    if (!/^\d+$/.test(id)) continue
    try {
      if (!files.read(`/proc/${id}/environ`).split('\0').includes(mark)) continue
      seconds += parseOwnAndChildrenTime(files.read(`/proc/${id}/stat`))
      count++
    } catch {
      // It ended meanwhile, or is another user's.
    }
  }
  return { count, seconds }
}
