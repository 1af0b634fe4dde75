import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EnergyMeter } from '../meter/energy-meter.js'
import { raplSource } from '../powercap/rapl-source.js'
import type { EnergyAccount } from '../source.js'
import { startTree } from '../powercap/__fixtures__/play-fault.js'
import { sampleFiles } from './native-sampler.js'

const root = mkdtempSync(join(tmpdir(), 'bio-sampler-'))
const zone = join(root, 'intel-rapl:0')
mkdirSync(zone)
writeFileSync(join(zone, 'name'), 'package-0\n')
writeFileSync(join(zone, 'max_energy_range_uj'), '262143328850\n')
afterAll(() => rmSync(root, { recursive: true }))
beforeEach(() => count(1))
afterEach(() => void vi.doUnmock('@bio/kernels'))

/** What the counter shows, in joules. */
function count(joules: number): void {
  writeFileSync(join(zone, 'energy_uj'), `${joules * 1e6}\n`)
}

count(1)
const probe = await sampleFiles([join(zone, 'energy_uj')], 10)
probe?.close()
if (probe === undefined) console.log('skipped: no native sampler')
const native = test.skipIf(probe === undefined)

/** Blocks this thread, and with it the event loop. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

async function accountOf(options: Parameters<typeof raplSource>[0]): Promise<EnergyAccount> {
  const opening = await raplSource(options).open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  return opening.account
}

// Tried again when a busy machine held up the process that plays the counters, or the thread, for longer than a wrap allows.
native(
  'a blocked event loop loses no wrap; a timer of that loop, the control, loses them',
  { retry: 4 },
  async () => {
    // wraps every 1.5 s, and could every 0.25 s: of two reads 2 s apart nobody can say how often
    using tree = await startTree('several wraps', 1)
    const sampled = await accountOf({ root: tree.root, hertz: 100 })
    const control = await accountOf({ root: tree.root, now: () => performance.now() / 1000 })
    const timer = setInterval(() => control.sample(), 10)
    const [mine, theirs] = [sampled.startSpan(), control.startSpan()]
    const begin = performance.now()
    block(2000)
    const [reading, other] = [mine.read(), theirs.read()]
    const joules = (100 * (performance.now() - begin)) / 1000
    clearInterval(timer)
    sampled.close?.()
    expect(other).toMatchObject({ samples: 2 })
    expect(other.method === 'estimated' ? other.reasons.join() : '').toMatch(
      /too long between two samples to count the wraps/,
    )
    expect(reading.samples).toBeGreaterThan(20)
    expect(reading).toMatchObject({ method: 'measured', reasons: [] })
    expect(reading.wraps).toBeGreaterThan(0)
    // as near as the process that plays the counters keeps time
    expect(Math.abs(reading.joules! - joules)).toBeLessThan(30)
  },
)

native('a meter ends its thread, and so do sources that it does not use', async () => {
  for (let time = 0; time < 100; time++) {
    await using meter = await EnergyMeter.open({ sources: [raplSource({ root }), raplSource({ root })] })
    expect(meter.sources().map(({ used }) => used)).toEqual([true, false])
  }
  await expect.poll(threads).toBe(0)
})

native('after close a window still ends with what was used', async () => {
  const meter = await EnergyMeter.open({ sources: [raplSource({ root })] })
  const window = meter.begin()
  await meter.close()
  block(20)
  count(1.5)
  expect(window.end()).toMatchObject({ joules: 0.5, method: 'measured' })
})

test.each([
  ['is not installed', () => Promise.reject(new Error('Cannot find package'))],
  ['is of before the sampler', () => ({ getKernels: () => {} })],
  [
    'has no binary for this machine',
    () => ({
      openNvml: () => {},
      sampleFiles: () => {
        throw new Error('ERR_BIO_NATIVE')
      },
    }),
  ],
])('where @bio/kernels %s, the files are read when the meter asks', async (_, kernels) => {
  vi.doMock('@bio/kernels', kernels)
  expect(await sampleFiles([join(zone, 'energy_uj')], 10)).toBeUndefined()
  const span = (await accountOf({ root })).startSpan()
  block(20)
  count(1.25)
  expect(span.read()).toMatchObject({ joules: 0.25, samples: 2 })
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
