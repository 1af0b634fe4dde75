// Five times more than the session can do: what is answered must still be answered in time, and refusing must cost little.
import { printRows, row } from '../../lib/rows.mjs'
import { quantile } from '../../lib/statistics.mjs'
import { playOnce } from '../play-once.mjs'
import { ours } from '../systems.mjs'
import { poissonTrace } from '../traces.mjs'

const overload = 5

export async function overloadPart({ session, inputs, capacity, targetMs, quick }) {
  const play = (load, seconds) =>
    playOnce({
      trace: poissonTrace({ capacity, load, seconds }),
      seconds,
      open: ours,
      session,
      inputs,
      targetMs,
    })
  let peak = { goodput: 0 }
  for (const load of [0.7, 0.8, 0.9, 1, 1.2]) {
    const { goodput } = await play(load, quick ? 1 : 4)
    if (goodput > peak.goodput) peak = { goodput, load }
  }
  const seconds = quick ? 20 : 120
  const memory = sampleMemory(1000)
  const result = await play(overload, seconds)
  const rss = memory.stop()
  const refusals = result.refusedAfterMs.filter((ms) => !Number.isNaN(ms))
  const subject = { part: 'overload', load: `${overload}× for ${seconds} s` }
  const rows = [
    row({
      subject: { ...subject, figure: `goodput against its peak (at load ${peak.load})` },
      ours: result.goodput,
      unit: 'answers/s',
      better: 'higher',
      target: 0.95 * peak.goodput,
      peers: [{ name: 'own peak', value: peak.goodput }],
    }),
    row({
      subject: { ...subject, figure: 'p99 of the answers' },
      ours: result.p99,
      unit: 'ms',
      better: 'lower',
      target: targetMs,
    }),
    row({
      subject: {
        ...subject,
        figure: `p99 of the ${refusals.length} refusals on arrival`,
      },
      ours: quantile(refusals, 0.99),
      unit: 'ms',
      better: 'lower',
      target: 1,
      p50: quantile(refusals, 0.5),
    }),
    row({
      subject: { ...subject, figure: 'growth of memory from the first quarter to the last' },
      ours: Math.max(0, rss.lastQuarter - rss.firstQuarter),
      unit: 'MiB',
      better: 'lower',
      target: 0.05 * rss.firstQuarter,
      rssMiB: rss.samples.map(Math.round),
    }),
  ]
  printRows(`Overload, latency target ${targetMs} ms`, rows)
  const expired = result.requests - result.answered - refusals.length
  console.log(
    `of ${result.requests} requests ${result.answered} were answered, ${refusals.length} refused on arrival, ${expired} expired while waiting or running; ` +
      `the generator was ${result.late.p99.toFixed(2)} ms behind at p99`,
  )
  return rows
}

/** Resident memory in MiB, each `everyMs`; the quarters are medians, the first without its first half (the heap grows to its size). */
function sampleMemory(everyMs) {
  const samples = []
  const timer = setInterval(() => samples.push(process.memoryUsage.rss() / 2 ** 20), everyMs)
  return {
    stop() {
      clearInterval(timer)
      const part = (from, to) =>
        quantile(samples.slice(Math.floor(from * samples.length), Math.ceil(to * samples.length)), 0.5)
      return { samples, firstQuarter: part(0.125, 0.25), lastQuarter: part(0.75, 1) }
    },
  }
}
