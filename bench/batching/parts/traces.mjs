// Twenty traces: ours without tuning against the best static point found on that very trace, and against the peers.
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { mean, median } from '../../lib/statistics.mjs'
import { playOnce } from '../play-once.mjs'
import { maxBatchSize, ours, staticPoint, withoutDeadlines } from '../systems.mjs'
import { mostInTime, quickTraces, traces } from '../traces.mjs'
import { VirtualClock } from '../virtual-clock.mjs'
import { VirtualSession, virtualModels } from '../virtual-session.mjs'

const full = {
  screenSeconds: 0.6,
  seconds: 2,
  repetitions: 2,
  sizes: [1, 4, 8, 16, 32],
  waits: [0, 1, 2, 5, 10, 20],
}
const quick = { screenSeconds: 0.5, seconds: 1, repetitions: 1, sizes: [1, 8, 32], waits: [0, 2, 10] }

/** How many points of the grid, the best of a first short run each, play against ours. */
const finalists = 3
const noDeadlines = 'ours, no deadlines'
const bestStatic = 'best static'

export async function tracesPart(context) {
  const { rows, late } = await compareOnTraces('trace', context, context.quick ? quick : full)
  console.log(
    `requests left ${median(late.map(({ p50 }) => p50)).toFixed(3)} ms behind the trace at the median, ` +
      `${median(late.map(({ p99 }) => p99)).toFixed(3)} ms at p99 (medians over ${late.length} open runs)`,
  )
  return rows
}

/** The same in virtual time, on sessions that are formulas: what the policies alone do, the same on every machine, busy or not. */
export async function policyPart({ quick: isQuick, ...context }) {
  const plan = isQuick ? quick : { ...full, repetitions: 1 }
  const all = []
  for (const [name, model] of Object.entries(virtualModels)) {
    const clock = new VirtualClock()
    const session = new VirtualSession(clock, model)
    const fullMs = model.runMs(maxBatchSize)
    const virtual = { session, capacity: (1000 * maxBatchSize) / fullMs, targetMs: Math.round(4 * fullMs) }
    console.log(`\nin virtual time, ${name}:`)
    const compare = () => compareOnTraces(`policy, ${name}`, { ...context, ...virtual, quick: isQuick }, plan)
    all.push(...(await clock.run(compare)).rows)
  }
  return all
}

async function compareOnTraces(
  part,
  { session, inputs, capacity, targetMs, peers, plays, ...options },
  plan,
) {
  const rows = []
  const late = []
  const chosen = traces({ capacity, seconds: plan.seconds }).filter(
    ({ name }) => plays(name) && (!options.quick || quickTraces.includes(name)),
  )
  if (chosen.length === 0) throw new Error('no trace is called so')
  for (const trace of chosen) {
    const play = (open, seconds) => playOnce({ trace, seconds, open, session, inputs, targetMs })
    const points = await bestPoints(plan, (open) => play(open, plan.screenSeconds))
    const systems = {
      ours,
      [noDeadlines]: withoutDeadlines,
      ...Object.fromEntries(points.map((point) => [label(point), staticPoint(point)])),
      ...Object.fromEntries(peers.map(({ name, open }) => [name, open])),
    }
    const runs = await alternate(
      Object.fromEntries(
        Object.entries(systems).map(([name, open]) => [name, () => play(open, plan.seconds)]),
      ),
      plan.repetitions,
    )
    const possible = trace.arrivals && mostInTime(trace.arrivals, { capacity, targetMs }) / plan.seconds
    rows.push(traceRow({ part, trace, possible, runs, points, peers, seconds: plan.seconds }))
    if (trace.arrivals !== undefined)
      late.push(...Object.values(runs).flatMap((results) => results.map((result) => result.late)))
    const { ours: goodput, static: point, peers: others } = rows.at(-1)
    console.log(
      `${trace.name}: ${goodput.toFixed(0)}/s, ${others[0].ratio.toFixed(2)}× the best static point (${point})`,
    )
  }
  printRows(`Goodput: answers within ${targetMs} ms`, rows)
  const summary = summaryRows(part, rows)
  printRows('Over all traces: the least ratio of goodput, and the mean over bursts', summary)
  return { rows: [...rows, ...summary], late }
}

/** The grid's best by goodput on a short run, by p99 where that is equal (it is, wherever all answer in time). */
async function bestPoints({ sizes, waits }, play) {
  const grid = sizes.flatMap((size) =>
    (size === 1 ? [0] : waits).map((maxWaitMs) => ({ maxBatchSize: size, maxWaitMs })),
  )
  const tried = []
  for (const point of grid) tried.push({ point, ...(await play(staticPoint(point))) })
  return tried
    .toSorted((a, b) => b.goodput - a.goodput || a.p99 - b.p99)
    .slice(0, finalists)
    .map(({ point }) => point)
}

function label(point) {
  return `${point.maxBatchSize}, ${point.maxWaitMs} ms`
}

function traceRow({ part, trace, possible, runs, points, peers, seconds }) {
  const of = (name, figure) => median(runs[name].map((result) => result[figure]))
  const figures = (name) => ({ value: of(name, 'goodput'), p50: of(name, 'p50'), p99: of(name, 'p99') })
  const [best] = points.map(label).toSorted((a, b) => of(b, 'goodput') - of(a, 'goodput'))
  return row({
    subject: { part, trace: trace.name },
    offered: trace.arrivals === undefined ? undefined : trace.arrivals.length / seconds,
    possible,
    ours: of('ours', 'goodput'),
    unit: 'answers/s',
    better: 'higher',
    target: 0.95 * of(best, 'goodput'),
    bursty: trace.bursty ?? false,
    p50: of('ours', 'p50'),
    p99: of('ours', 'p99'),
    static: best,
    staticP99: of(best, 'p99'),
    peers: [
      { name: bestStatic, version: best, ...figures(best) },
      ...peers.map(({ name, version }) => ({ name, version, ...figures(name) })),
      { name: noDeadlines, ...figures(noDeadlines) },
    ],
  })
}

function summaryRows(part, rows) {
  return rows[0].peers.map(({ name }) => {
    const peerOf = ({ peers }) => peers.find((peer) => peer.name === name)
    const bursty = rows.filter((entry) => entry.bursty)
    const worst = rows.toSorted((a, b) => peerOf(a).ratio - peerOf(b).ratio)[0]
    return row({
      subject: { part: `${part}: all`, against: name },
      ours: peerOf(worst).ratio,
      unit: 'least ratio',
      better: 'higher',
      target: name === bestStatic ? 0.95 : name === noDeadlines ? undefined : 1,
      on: worst.trace,
      meanAtBursts: mean(bursty.map((entry) => peerOf(entry).ratio)),
      possibleAtBursts: mean(bursty.map((entry) => entry.possible / peerOf(entry).value)),
    })
  })
}
