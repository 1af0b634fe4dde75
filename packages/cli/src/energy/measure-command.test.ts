import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuEstimateSource, createReading, raplSource, type EnergySource, type Reading } from '@bio/energy'
import { afterAll, expect, test, vi } from 'vitest'
import { energy } from '../commands/energy.js'
import { energyLines } from './energy-lines.js'
import { measureCommand } from './measure-command.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-energy-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const node = (script: string): string[] => [process.execPath, '-e', script]
/** 0.3 s of processor time, however busy the machine is. */
const spin = 'const from = process.cpuUsage(); while (process.cpuUsage(from).user < 300_000);'

/** What the meter finds in a virtual machine: no counters anywhere. */
const withoutCounters = (scope: 'machine' | 'children', mark: string): readonly EnergySource[] => [
  raplSource({ root: join(folder, 'none') }),
  cpuEstimateSource({ scope, mark }),
]

function expectEstimate(reading: Reading): void {
  expect(reading.method).toBe('estimated')
  expect(reading.low!).toBeLessThan(reading.joules!)
  expect(reading.high!).toBeGreaterThan(reading.joules!)
  expect(reading.reasons.join()).toContain('no rapl: ')
  expect(reading.reasons.join()).toContain('estimated from the CPU time of')
}

test('without counters every figure says estimated, with its band and the reason', async () => {
  const result = await measureCommand(node(spin), { sources: withoutCounters })
  expectEstimate(result.energy)
  expectEstimate(result.machine)
  const text = energyLines(result, 0.3).join('\n')
  expect(text).toMatch(/^energy {4}\d.* J \(.* to .*, estimated by cpu-time\)$/m)
  expect(text).toMatch(/^why {7}no rapl: /m)
  expect(text).toMatch(/^cost {6}\$\S+, \S+ to \S+$/m)
})

test.runIf(process.platform === 'linux')(
  'a child of the command is counted with it, and the scope says so',
  async () => {
    const grandchild = `require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(spin)}])`
    const { energy: reading, scope } = await measureCommand(node(grandchild), { sources: withoutCounters })
    expect(scope).toBe('processes')
    expect(reading.boundary).toBe('process')
    expect(reading.joules).toBeGreaterThan(0.2) // about 4 W while it spins
  },
)

test.runIf(process.platform === 'linux')(
  'a process that left the command, its group and its session, and runs on is counted until then, and the reasons say so',
  async () => {
    const [ready, pid] = [join(folder, 'daemon-spun'), join(folder, 'daemon-pid')]
    const daemon = `${spin} require('node:fs').writeFileSync(${JSON.stringify(ready)}, ''); setTimeout(() => {}, 60_000)`
    // Forks, forgets its child at once, and only then waits until that has spun.
    const script = `
      const { existsSync, writeFileSync } = require('node:fs')
      const middle = \`const child = require('node:child_process').spawn(process.execPath, ['-e', process.argv[1]], { detached: true, stdio: 'ignore' })
        require('node:fs').writeFileSync(process.argv[2], String(child.pid)); child.unref()\`
      require('node:child_process').spawnSync(process.execPath, ['-e', middle, ${JSON.stringify(daemon)}, ${JSON.stringify(pid)}])
      const wait = () => existsSync(${JSON.stringify(ready)}) || setTimeout(wait, 5)
      wait()`
    try {
      const { energy: reading } = await measureCommand(node(script), { sources: withoutCounters })
      expect(reading.reasons.join()).toContain('1 process that was left running: counted until now')
      const { energy: without } = await measureCommand(node(''), { sources: withoutCounters })
      expect(without.reasons.join()).not.toContain('left running')
      expect(without.reasons.join()).toContain('without those that outlived their parent and have ended')
      // 0.3 s of spinning, about 4 W more than idle, beside what Node takes to start.
      expect(reading.joules! - without.joules!).toBeGreaterThan(0.8)
    } finally {
      if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL')
    }
  },
)

test('what a counter measures is the machine’s, and says so', async () => {
  const measured: EnergySource = {
    name: 'rapl',
    component: 'cpu',
    method: 'measured',
    open: () => ({
      usable: true,
      reasons: [],
      account: {
        sample: () => {},
        startSpan: () => ({
          read: () =>
            createReading({ joules: 7, low: 6, high: 8, method: 'measured', source: 'rapl', seconds: 1 }),
        }),
      },
    }),
  }
  const result = await measureCommand(node(''), { sources: () => [measured] })
  expect(result).toMatchObject({ scope: 'machine', energy: { joules: 7, method: 'measured' }, exitCode: 0 })
  expect(energyLines(result, undefined).join('\n')).toContain('used by the whole machine meanwhile')
})

test.each<[string, number, NodeJS.Signals | null]>([
  ['process.exit(3)', 3, null],
  ["process.kill(process.pid, 'SIGKILL')", 137, 'SIGKILL'],
  ['throw 1', 1, null],
])('%s ends with exit code %i', async (script, exitCode, signal) => {
  const quiet = `console.error = () => {}; process.on('uncaughtException', () => process.exit(1)); ${script}`
  expect(await measureCommand(node(quiet))).toMatchObject({ exitCode, signal })
})

test('a signal for bio goes to the command, which decides', async () => {
  const signals = new EventEmitter()
  const ready = join(folder, 'ready')
  const script = `process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); require('node:fs').writeFileSync(${JSON.stringify(ready)}, '')`
  const run = measureCommand(node(script), { signals })
  while (!existsSync(ready)) await new Promise((resolve) => setTimeout(resolve, 5))
  signals.emit('SIGTERM', 'SIGTERM')
  expect(await run).toMatchObject({ exitCode: 5, signal: null })
  expect(signals.eventNames()).toEqual([])
})

test('the command line writes the reading, and takes the exit code of the command', async () => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  const [file, page] = [join(folder, 'energy.json'), join(folder, 'energy.html')]
  const before = process.exitCode
  try {
    await energy.run(
      ['--json', file, '--html', page, '--', ...node('process.exit(4)')],
      new AbortController().signal,
    )
    expect(process.exitCode).toBe(4)
    await energy.run(['--', join(folder, 'no-such-command')], new AbortController().signal)
    expect(process.exitCode).toBe(127)
    expect(error.mock.calls.flat().join()).toContain('ENOENT')
  } finally {
    process.exitCode = before
    error.mockRestore()
  }
  const written = JSON.parse(readFileSync(file, 'utf8')) as { energy: Reading; exitCode: number }
  expect(written.exitCode).toBe(4)
  expect(readFileSync(page, 'utf8')).toContain(`<b>${written.energy.method}</b>`)
  expect(['measured', 'derived', 'estimated', 'unavailable']).toContain(written.energy.method)
  expect(written.energy.method === 'measured' || written.energy.reasons.length > 0).toBe(true)
})

test.each<[string[], string]>([
  [[], 'ERR_BIO_ARGUMENT'],
  [['--'], 'ERR_BIO_ARGUMENT'],
  [['node', 'x.js'], 'ERR_BIO_ARGUMENT'],
  [['--colour', '--', 'node'], 'ERR_BIO_ARGUMENT'],
  [['--dollars-per-kwh', 'much', '--', 'node'], 'ERR_BIO_ARGUMENT'],
  [['--json', join(folder, 'none', 'x.json'), '--', 'node'], 'ERR_BIO_IO'],
])('%j is refused before anything runs', async (args, code) => {
  await expect(energy.run(args, new AbortController().signal)).rejects.toMatchObject({ code })
})

test('--help of the command is the command’s', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  await energy.run(['--help'], new AbortController().signal)
  expect(log.mock.calls.flat().join()).toContain('bio energy [OPTIONS] -- COMMAND')
  log.mockRestore()
})
