// One processor for ours and for the peers, where a row is of one thread.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

const status = '/proc/self/status'
const allowed = existsSync(status) && /^Cpus_allowed_list:\s*(.+)$/m.exec(readFileSync(status, 'utf8'))[1]

/**
 * Runs `action` with the main threads of `processes` on the last processor that this one may use, if `wanted`. Processors of a shared host are fast
 * and slow each for itself, for a neighbour on the other half of its core: in turns on the same one, everybody meets the same. A pool that is
 * started meanwhile would stay there, so contenders are opened before. Gives { pinned, result }; not pinned where there is no `taskset`.
 */
export async function onOneProcessor(wanted, processes, action) {
  const put = (processors) =>
    processes.every((pid) => spawnSync('taskset', ['-cp', processors, String(pid)]).status === 0)
  const pinned = wanted && allowed !== false && put(/\d+$/.exec(allowed)[0])
  try {
    return { pinned, result: await action() }
  } finally {
    if (pinned) put(allowed)
  }
}
