// Twenty traces: ours without tuning against the best static point found on that very trace, and against the peers.
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { mean, median } from '../../lib/statistics.mjs'
import { playOnce } from '../play-once.mjs'
import { ours, staticPoint, withoutDeadlines } from '../systems.mjs'
import { quickTraces, traces } from '../traces.mjs'

const full = {
  screenSeconds: 1,
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

export async function tracesPart({ session, inputs, capacity, targetMs, peers, ...options }) {
  const plan = options.quick ? quick : full
  const rows = []
  const late = []
  for (const trace of traces({ capacity, seconds: plan.seconds })) {
    if (options.quick && !quickTraces.includes(trace.name)) continue
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
    rows.push(traceRow({ trace, runs, points, peers, seconds: plan.seconds }))
    if (trace.arrivals !== undefined) late.push(...Object.values(runs).flat())
    const { ours: goodput, static: point, peers: others } = rows.at(-1)
    console.log(
      `${trace.name}: ${goodput.toFixed(0)}/s, ${others[0].ratio.toFixed(2)}× the best static point (${point})`,
    )
  }
  printRows(`Goodput: answers within ${targetMs} ms`, rows)
  console.log(
    `requests left ${median(late.map((run) => run.late.p50)).toFixed(3)} ms behind the trace at the median, ` +
      `${median(late.map((run) => run.late.p99)).toFixed(3)} ms at p99 (medians over ${late.length} open runs)`,
  )
  const summary = summaryRows(rows)
  printRows('Over all traces: the least ratio of goodput, and the mean over bursts', summary)
  return [...rows, ...summary]
}

/** The grid's best by goodput on a short run, by p99 where that is equal (it is, wherever all answer in time). */
async function bestPoints({ sizes, waits }, play) {
  const grid = sizes.flatMap((maxBatchSize) =>
    maxBatchSize === 1
      ? [{ maxBatchSize, maxWaitMs: 0 }]
      : waits.map((maxWaitMs) => ({ maxBatchSize, maxWaitMs })),
  )
  const tried = []
  for (const point of grid) tried.push({ point, ...(await play(staticPoint(point))) })
  return tried
    .toSorted((a, b) => b.goodput - a.goodput || a.p99 - b.p99)
    .slice(0, finalists)
    .map(({ point }) => point)
}

function label({ maxBatchSize, maxWaitMs }) {
  return `${maxBatchSize}, ${maxWaitMs} ms`
}

function traceRow({ trace, runs, points, peers, seconds }) {
  const of = (name, figure) => median(runs[name].map((result) => result[figure]))
  const figures = (name) => ({ value: of(name, 'goodput'), p50: of(name, 'p50'), p99: of(name, 'p99') })
  const [best] = points.map(label).toSorted((a, b) => of(b, 'goodput') - of(a, 'goodput'))
  return row({
    subject: { part: 'trace', trace: trace.name },
    offered: trace.arrivals === undefined ? undefined : trace.arrivals.length / seconds,
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

function summaryRows(rows) {
  return rows[0].peers.map(({ name }) => {
    const ratios = (chosen) => chosen.map(({ peers }) => peers.find((peer) => peer.name === name).ratio)
    const bursty = rows.filter((entry) => entry.bursty)
    const worst = rows.toSorted((a, b) => ratios([a])[0] - ratios([b])[0])[0]
    return row({
      subject: { part: 'traces', against: name },
      ours: ratios([worst])[0],
      unit: 'least ratio',
      better: 'higher',
      target: name === bestStatic ? 0.95 : name === noDeadlines ? undefined : 1,
      on: worst.trace,
      meanAtBursts: mean(ratios(bursty)),
    })
  })
}
