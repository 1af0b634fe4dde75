// What a window costs: `begin` and `end` over two RAPL zones, by the sampling thread's read and by Node's, and over CPU time.
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuEstimateSource, EnergyMeter, raplSource } from '../../../packages/energy/dist/index.js'
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { median, quantile } from '../../lib/statistics.mjs'

const targetMicroseconds = 20
const windowsPerTurn = 500

export async function windowsPart({ quick }) {
  const root = mkdtempSync(join(tmpdir(), 'bio-windows-'))
  const counters = []
  try {
    counters.push(...[0, 1].map((index) => writeZone(join(root, `intel-rapl:${index}`), index)))
    // Any clock but the process's own keeps the reads in JavaScript.
    const inNode = raplSource({ root, now: () => performance.now() / 1000 })
    const sources = {
      'RAPL, sampling thread': raplSource({ root }),
      'RAPL, read by Node': inNode,
      'CPU time': cpuEstimateSource(),
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
    const turns = Object.fromEntries(
      Object.entries(meters).map(([name, meter]) => [name, () => timeWindows(meter, counters)]),
    )
    const times = await alternate(turns, quick ? 5 : 40)
    for (const meter of Object.values(meters)) await meter.close()
    const rows = Object.entries(times).map(([name, perTurn]) => {
      // The first turn compiles.
      const all = perTurn.slice(1).flat()
      return row({
        subject: { part: 'windows', what: name },
        ours: quantile(all, 0.99),
        unit: 'µs, p99 of begin + end',
        better: 'lower',
        target: targetMicroseconds,
        median: median(all),
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

function timeWindows(meter, counters) {
  const times = []
  for (let window = 0; window < windowsPerTurn; window++) {
    for (const counter of counters) move(counter)
    const begin = process.hrtime.bigint()
    meter.begin().end()
    times.push(Number(process.hrtime.bigint() - begin) / 1000)
  }
  return times
}

/** A counter that stood still would be a fault: it shows 50 W, as many digits as real ones have. */
function move(counter) {
  const microjoules = 1e11 + Math.floor(performance.now() * 5e4)
  writeSync(counter, `${microjoules}\n`, 0)
}

function writeZone(folder, index) {
  mkdirSync(folder)
  writeFileSync(join(folder, 'name'), `package-${index}\n`)
  writeFileSync(join(folder, 'max_energy_range_uj'), '262143328850\n')
  const counter = openSync(join(folder, 'energy_uj'), 'w')
  move(counter)
  return counter
}
