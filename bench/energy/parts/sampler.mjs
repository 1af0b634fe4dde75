// The sampling thread: what it loses while JavaScript is blocked, beside a timer of the blocked loop, and the CPU time that it takes.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { sampleFiles } from '../../../packages/kernels/dist/index.js'
import { printRows, row } from '../../lib/rows.mjs'

export async function samplerPart({ quick }) {
  // In memory, as the files of a driver are.
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = mkdtempSync(join(memory, 'bio-sampler-'))
  const paths = ['a', 'b'].map((name) => join(folder, name))
  for (const path of paths) writeFileSync(path, '123456789\n')
  try {
    const seconds = quick ? 2 : 10
    const blocked = [10, 1000].map((hertz) => blockedLoop(paths, { hertz, seconds }))
    printRows(`Samples lost while the event loop was blocked for ${seconds} s`, blocked)
    const costs = []
    for (const [hertz, target] of [
      [10, 0.1],
      [100, undefined],
      [1000, 1],
    ])
      costs.push(await cpuShare(paths, { hertz, target, seconds: 2 * seconds }))
    printRows(`CPU time of the thread over ${2 * seconds} s, two files`, costs)
    return [...blocked, ...costs]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The loop is busy, not asleep: it takes a core, as a kernel or a parser would. */
function blockedLoop(paths, { hertz, seconds }) {
  const sampler = sampleFiles({ paths, hertz })
  let ticks = 0
  const timer = setInterval(() => ticks++, 1000 / hertz)
  sampler.take()
  const end = performance.now() + seconds * 1000
  while (performance.now() < end);
  const rows = sampler.take()
  clearInterval(timer)
  sampler.close()
  const expected = seconds * hertz
  // The last row is the one that `take` reads itself.
  const gaps = rows.slice(1).map(({ time }, index) => time - rows[index].time)
  return row({
    subject: { part: 'sampler', what: 'blocked event loop', hertz },
    ours: Math.max(0, expected - (rows.length - 1)) + sampler.lost,
    unit: 'samples lost',
    better: 'lower',
    expected,
    longestGapMs: 1000 * Math.max(...gaps),
    lostBySetInterval: expected - ticks,
  })
}

async function cpuShare(paths, { hertz, target, seconds }) {
  const sampler = sampleFiles({ paths, hertz })
  const wait = (time) => new Promise((done) => setTimeout(done, time * 1000))
  await wait(0.3) // the thread names itself once it runs
  const [thread] = samplingThreads()
  const control = await emptyThread(hertz)
  const cpu = (id) => Number(readFileSync(`/proc/self/task/${id}/schedstat`, 'utf8').split(' ')[0]) / 1e9
  // Real counters move between two reads.
  let joules = 123
  const moving = setInterval(() => {
    for (const path of paths) writeFileSync(path, `${++joules}456789\n`)
  }, 500 / hertz)
  const threads = [thread, control.thread]
  const [before, begin] = [threads.map(cpu), performance.now()]
  await wait(seconds)
  const percent = 100 / ((performance.now() - begin) / 1000)
  const [share, emptyShare] = threads.map((id, index) => (cpu(id) - before[index]) * percent)
  clearInterval(moving)
  sampler.close()
  await control.stop()
  await wait(0.3)
  return row({
    subject: { part: 'sampler', what: 'CPU', hertz },
    ours: share,
    unit: '% of a core',
    better: 'lower',
    ...(target === undefined ? {} : { target }),
    threadThatOnlyWakes: emptyShare,
  })
}

/** A thread that wakes as often and does nothing: what the system takes for a wake, before any sampler has done its work. */
async function emptyThread(hertz) {
  const threads = () => readdirSync('/proc/self/task')
  const before = new Set(threads())
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    const flag = new Int32Array(new SharedArrayBuffer(4)) // nobody sets it
    parentPort.postMessage('ready')
    let next = performance.now()
    for (;;) {
      next = Math.max(next + 1000 / workerData.hertz, performance.now())
      Atomics.wait(flag, 0, 0, next - performance.now())
    }`,
    { eval: true, workerData: { hertz } },
  )
  await new Promise((ready) => worker.once('message', ready))
  const [thread] = threads().filter((id) => !before.has(id))
  return { thread, stop: () => worker.terminate() }
}

function samplingThreads() {
  return readdirSync('/proc/self/task').filter(
    (id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'bio-energy',
  )
}
