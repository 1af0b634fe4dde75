import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { isBioError } from '@bio/errors'
import { afterAll, expect, test } from 'vitest'
import { loadBinding } from '../native/load.js'
import type { CounterRow } from './counter-sampler.js'
import { openNvml } from './open-nvml.js'
import { sampleFiles } from './sample-files.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-counters-'))
afterAll(() => rmSync(folder, { recursive: true }))

let missing = ''
try {
  loadBinding()
} catch (error) {
  if (!isBioError(error, 'ERR_BIO_NATIVE')) throw error
  missing = error.message
  console.log(`skipped: ${missing}`)
}
const native = test.skipIf(missing !== '')

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Blocks this thread, and with it the event loop. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

native('a blocked event loop loses no row, and rows come in the order in which they were read', () => {
  const paths = [file('a', '17\n'), file('b', '18446744073709551615')]
  const begin = performance.now() / 1000
  using sampler = sampleFiles({ paths, hertz: 200 })
  const rows: CounterRow[] = []
  while (rows.length < 50) {
    block(100)
    rows.push(...sampler.take())
  }
  for (const { since, time, values } of rows) {
    expect(values).toEqual([17, 2 ** 64])
    expect(time).toBeGreaterThanOrEqual(since)
  }
  const times = rows.map(({ time }) => time)
  expect(times).toEqual(times.toSorted((left, right) => left - right))
  // the clock is this thread's own, to the microseconds that looking at two clocks takes
  expect(rows[0]!.since).toBeGreaterThan(begin - 0.001)
  expect(times.at(-1)!).toBeLessThan(performance.now() / 1000 + 0.001)
  expect(sampler.lost).toBe(0)
})

native('a read that fails is a row that says why, beside those that do not', () => {
  const gone = file('gone', '5')
  const paths = [file('good', '1'), gone, file('words', '<busy>'), folder]
  using sampler = sampleFiles({ paths, hertz: 1 })
  expect(sampler.take().at(-1)!.values).toEqual([
    1,
    5,
    expect.stringMatching(/words holds "<busy>", not a number$/),
    `${folder}: EISDIR`,
  ])
  unlinkSync(gone)
  expect(sampler.take().at(-1)!.values[1]).toBe(`${gone}: ENOENT`)
  writeFileSync(gone, '6')
  expect(sampler.take().at(-1)!.values[1]).toBe(6)
})

native('more rows than one call holds are taken in one', () => {
  using sampler = sampleFiles({ paths: [file('many', '1')], hertz: 1000 })
  let rows: CounterRow[] = []
  for (let tries = 0; rows.length <= 64 && tries < 50; tries++) {
    block(300)
    rows = sampler.take()
  }
  expect(rows.length).toBeGreaterThan(64)
})

native('after close the thread is gone, and take reads on', async () => {
  const samplers = Array.from({ length: 1000 }, () => {
    const sampler = sampleFiles({ paths: [join(folder, 'a')] })
    sampler.close()
    return sampler
  })
  expect(samplers[999]!.take().at(-1)!.values).toEqual([17])
  const open = sampleFiles({ paths: [join(folder, 'a')] })
  if (process.platform === 'linux') await expect.poll(threads).toBe(1)
  open.close()
  await expect.poll(threads).toBe(0)
})

native('threads end with the worker that opened them, however it ends', async () => {
  const script = `
    const { sampleFiles } = require('node:module').createRequire('/')(process.argv[2])
    const sampler = sampleFiles(['${join(folder, 'a')}'], 1000)
    sampler.take(new Float64Array(3))
    require('node:worker_threads').parentPort.postMessage('open')
    setInterval(() => sampler, 1000)`
  const { cache } = createRequire(import.meta.url)
  const binary = Object.keys(cache).find((path) => path.endsWith('.node'))!
  for (let time = 0; time < 5; time++) {
    const worker = new Worker(script, { eval: true, argv: [binary] })
    await new Promise((open) => worker.once('message', open))
    await worker.terminate()
  }
  await expect.poll(threads, { timeout: 5000 }).toBe(0)
})

test.each<[string, () => unknown]>([
  ['no paths', () => sampleFiles({ paths: [] })],
  ['a path of nothing', () => sampleFiles({ paths: [''] })],
  ['a path with a zero', () => sampleFiles({ paths: ['a\0b'] })],
  ['a rate of 0', () => sampleFiles({ paths: ['a'], hertz: 0 })],
  ['a rate above 1 kHz', () => sampleFiles({ paths: ['a'], hertz: 1001 })],
  ['a rate of NaN', () => sampleFiles({ paths: ['a'], hertz: Number.NaN })],
])('%s: refused', (_, call) => {
  expect(call).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

native('a GPU library that is not there is said in words', () => {
  expect(() => openNvml({ path: join(folder, 'libnvidia-ml.so.1') })).toThrow(
    /^NVML: .*cannot open shared object/,
  )
  expect(() => openNvml({ path: join(folder, 'a') })).toThrow(/^NVML: /)
})

/** Sampling threads of this process. */
function threads(): number {
  if (process.platform !== 'linux') return 0
  return readdirSync('/proc/self/task').filter((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim() === 'bio-energy'
    } catch {
      return false
    }
  }).length
}
