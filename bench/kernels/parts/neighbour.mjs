// Two threads beside a process that keeps one core busy: what is lost beyond what that process takes by right.
import { spawn } from 'node:child_process'
import { linearCase } from '../linear.mjs'

/** Three threads want two cores. A core is shared fairly among the threads that wait for it: ours have one whole and half of the other. */
const fairShare = 2 / 1.5
/** Ends with the bench, also where that is killed. */
const busy = 'const parent = process.ppid; while (process.ppid === parent);'

export async function neighbourPart(bench) {
  if (bench.kernels.threads < 2) {
    console.log('skipped: neighbour (one core only)')
    return []
  }
  const rows = []
  for (const shape of [
    { m: 1, n: 4096, k: 4096 },
    { m: 64, n: 4096, k: 4096 },
  ]) {
    const product = (kernel) =>
      linearCase(bench, {
        kernel,
        shape,
        threads: 2,
        pack: { dtype: 'f32' },
        layers: 8,
        unit: 'µs',
        peers: [['torch.linear', { dtype: 'f32' }]],
        tolerance: 1e-5,
      })
    const alone = await product('f32, two threads, alone')
    const neighbour = spawn(process.execPath, ['-e', busy], { stdio: 'ignore' })
    try {
      const beside = await product('f32, two threads, beside a busy process')
      const slowdown = (pick) => pick(beside) / pick(alone)
      const peers = beside.peers.map((peer) => ({
        ...peer,
        slowdown: peer.median / alone.peers.find(({ name }) => name === peer.name).median,
      }))
      const target = 1.15 * fairShare * alone.median
      rows.push(alone, {
        ...beside,
        peers,
        slowdown: slowdown(({ median }) => median),
        target,
        met: beside.median <= target,
      })
    } finally {
      neighbour.kill('SIGKILL')
    }
  }
  return rows
}
