// What a window costs: `begin` and `end` over RAPL zones, by the sampling thread's read and by Node's, and over CPU time. Beside each a
// control, arithmetic that takes as long: what its p99 lies above its median is the machine's jitter, not the meter's.
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuEstimateSource, EnergyMeter, raplSource } from '../../../packages/energy/dist/index.js'
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { median, quantile } from '../../lib/statistics.mjs'

const targetMicroseconds = 20
const windowsPerTurn = 500

export async function windowsPart({ quick }) {
  // In memory, as the files of a driver are.
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'bio-windows-'))
  const counters = []
  try {
    const tree = (name, zones) => {
      const folder = join(root, name)
      for (const [path, domain] of zones) counters.push(writeZone(join(folder, path), domain))
      return { root: folder }
    }
    const packages = [0, 1].map((index) => [`intel-rapl:${index}`, `package-${index}`])
    const memory = [0, 1].map((index) => [`intel-rapl:${index}:0`, 'dram'])
    const four = tree('four', [...packages, ...memory])
    const sources = {
      'RAPL, 1 zone, sampling thread': raplSource(tree('one', packages.slice(0, 1))),
      'RAPL, 2 zones, sampling thread': raplSource(tree('two', packages)),
      'RAPL, 4 zones, sampling thread': raplSource(four),
      // Any clock but the process's own keeps the reads in JavaScript.
      'RAPL, 4 zones, read by Node': raplSource({ ...four, now: () => performance.now() / 1000 }),
      'CPU time of the machine': cpuEstimateSource(),
      'CPU time of the process': cpuEstimateSource({ scope: 'process' }),
    }
    const opened = []
    const meters = {}
    for (const [name, source] of Object.entries(sources)) {
      const begin = performance.now()
      meters[name] = await EnergyMeter.open({ sources: [source] })
      opened.push(
        row({
          subject: { part: 'windows', what: `open: ${name}` },
          ours: performance.now() - begin,
          unit: 'ms',
          better: 'lower',
          target: 50,
        }),
      )
    }
    const windows = Object.fromEntries(
      Object.entries(meters).map(([name, meter]) => [name, () => void meter.begin().end()]),
    )
    const turn = (work) => () => timeCalls(work, counters)
    // The first turns compile; the last of them says how long the controls have to be.
    const first = await alternate(mapValues(windows, turn), 5)
    const controls = mapValues(first, (turns) => arithmetic(median(turns.at(-1))))
    const control = (name) => `control: ${name}`
    const renamed = Object.fromEntries(Object.entries(controls).map(([name, work]) => [control(name), work]))
    const times = await alternate(mapValues({ ...windows, ...renamed }, turn), quick ? 5 : 45)
    for (const meter of Object.values(meters)) await meter.close()
    const rows = Object.keys(windows).map((name) => {
      const [all, beside] = [times[name].flat(), times[control(name)].flat()]
      return row({
        subject: { part: 'windows', what: name },
        ours: quantile(all, 0.99),
        unit: 'µs, p99 of begin + end',
        better: 'lower',
        target: targetMicroseconds,
        median: median(all),
        p999: quantile(all, 0.999),
        windows: all.length,
        controlMedian: median(beside),
        controlP99: quantile(beside, 0.99),
      })
    })
    printRows('Windows: begin + end', rows)
    printRows('Opening a meter, the first of the process first', opened)
    return [...rows, ...opened]
  } finally {
    for (const counter of counters) closeSync(counter)
    rmSync(root, { recursive: true })
  }
}

function mapValues(object, map) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, map(value)]))
}

function timeCalls(work, counters) {
  const times = []
  for (let call = 0; call < windowsPerTurn; call++) {
    for (const counter of counters) move(counter)
    const begin = process.hrtime.bigint()
    work()
    times.push(Number(process.hrtime.bigint() - begin) / 1000)
  }
  return times
}

const state = new Int32Array(1)

/** Integer arithmetic, without memory or system calls, of so many microseconds. */
function arithmetic(microseconds) {
  const work = (rounds) => {
    let value = state[0] | 1
    for (let round = 0; round < rounds; round++) value = (Math.imul(value, 0x343fd) + 0x269ec3) | 0
    state[0] = value
  }
  const time = () => {
    const begin = performance.now()
    work(10_000)
    return (performance.now() - begin) * 1000
  }
  const perRound = median(Array.from({ length: 200 }, time).slice(100)) / 10_000
  const rounds = Math.round(microseconds / perRound)
  return () => work(rounds)
}

/** A counter that stood still would be a fault: it shows 50 W, as many digits as real ones have. */
function move(counter) {
  const microjoules = 1e11 + Math.floor(performance.now() * 5e4)
  writeSync(counter, `${microjoules}\n`, 0)
}

function writeZone(folder, domain) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'name'), `${domain}\n`)
  writeFileSync(join(folder, 'max_energy_range_uj'), '262143328850\n')
  const counter = openSync(join(folder, 'energy_uj'), 'w')
  move(counter)
  return counter
}
