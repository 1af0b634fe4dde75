// One case: ours and its peers on the same numbers, compared once, then timed in turns between two probes of the limit.
import { alternate } from '../lib/alternate.mjs'
import { row } from '../lib/rows.mjs'
import { median } from '../lib/statistics.mjs'
import { probe } from './limits.mjs'
import { onOneProcessor } from './pin.mjs'

const sampled = 509
/** A call shorter than this is repeated within one measurement: the clock, and a cold start of the core, shall not show. */
const leastSeconds = 0.002
/** What a row may take for each contender. Slow ones have fewer repetitions then, all the same number, and at least these. */
const secondsPerContender = 1
const leastRepetitions = 7

/**
 * `subject`: kernel, shape, threads. `ours`: `run()`, one pass, and `output`, the array that the pass fills last (none: nothing to compare).
 * `peers`: [family.case, settings] of peers/. `unit`: 'Gop/s' from `operations` per pass, or 'µs' per layer of `layers`. `limit`: the name
 * of a limit, and with 'µs' the `bytes` or `operations` of a pass. `tolerance`: largest error of a peer against ours, root mean square, relative.
 * `wants`: { ofLimit, ratios: { start of a peer's name: ratio } }, as the target of the row. Ours is measured against itself alone where
 * `against` gives further contenders of our own: { name: run }.
 */
export async function measure(
  bench,
  {
    subject,
    ours,
    against = {},
    peers = [],
    unit,
    operations,
    bytes,
    layers = 1,
    limit,
    tolerance,
    wants,
    notes,
  },
) {
  const { kernels } = bench
  const { threads } = subject
  const start = performance.now()
  kernels.setThreads(threads)
  const opened = []
  try {
    ours.run()
    for (const [name, settings] of peers) {
      const peer = await bench.peers.open(name, { ...settings, threads })
      if (peer === undefined) continue
      opened.push(peer)
      peer.difference = await difference(ours.output, peer)
      if (!(peer.difference <= tolerance)) {
        console.log(
          `skipped: ${peer.name} on ${subject.kernel}, ${subject.shape} (it computes something else: off by ${peer.difference.toPrecision(2)})`,
        )
        opened.pop()
        await peer.close()
      }
    }
    const value = (seconds) => (unit === 'µs' ? (seconds * 1e6) / layers : operations / seconds / 1e9)
    const contenders = { ours: timed(ours.run) }
    for (const [name, run] of Object.entries(against)) contenders[name] = timed(run)
    for (const [index, peer] of opened.entries()) contenders[`peer ${index}`] = await timedPeer(peer)
    const probed = () => (limit === undefined ? 0 : probe(kernels, limit, threads))
    const turns = performance.now()
    const { pinned, result } = await onOneProcessor(threads === 1, bench.peers.processes(), async () => {
      const before = probed()
      const times = await alternate(contenders, bench.repetitions, {
        least: leastRepetitions,
        seconds: secondsPerContender * Object.keys(contenders).length,
      })
      return { before, times, after: probed() }
    })
    const { before, times, after } = result
    const ceiling = Math.max(before, after)
    // In microseconds a limit is the time that the bytes or operations of one layer take at least.
    const best = (name) => value(Math.min(...times[name]))
    const entry = row({
      subject,
      ours: best('ours'),
      unit,
      better: unit === 'µs' ? 'lower' : 'higher',
      limit:
        ceiling === 0
          ? undefined
          : unit === 'µs'
            ? value((limit === 'read' ? bytes : operations) / ceiling)
            : ceiling / 1e9,
      peers: [
        ...Object.keys(against).map((name) => ({
          name,
          version: 'ours',
          value: best(name),
          median: value(median(times[name])),
        })),
        ...opened.map(({ name, version, difference: off }, index) => ({
          name,
          version,
          value: best(`peer ${index}`),
          median: value(median(times[`peer ${index}`])),
          difference: off,
        })),
      ],
      median: value(median(times.ours)),
      repetitions: times.ours.length,
      pinned,
      ...(limit === undefined || ceiling === 0 ? {} : { limitOf: limit, limitMoved: after / before - 1 }),
      ...notes,
    })
    const seconds = (from, to) => `${((to - from) / 1000).toFixed(1)} s`
    console.log(
      `  ${subject.kernel}, ${subject.shape}, ${threads} thread${threads > 1 ? 's' : ''}: ${entry.ours.toPrecision(4)} ${unit},`,
      `${times.ours.length} repetitions in ${seconds(turns, performance.now())}, made ready in ${seconds(start, turns)}`,
    )
    return withTarget(entry, wants)
  } finally {
    for (const peer of opened) await peer.close()
  }
}

/** The strictest of what a row should reach, in its own unit; `met` says whether ours does. */
export function withTarget(entry, wants) {
  const higher = entry.better === 'higher'
  const wanted = []
  if (wants?.ofLimit !== undefined && entry.limit !== undefined)
    wanted.push(higher ? wants.ofLimit * entry.limit : entry.limit / wants.ofLimit)
  for (const { name, value } of entry.peers)
    for (const [start, ratio] of Object.entries(wants?.ratios ?? {}))
      if (name.startsWith(start)) wanted.push(higher ? value * ratio : value / ratio)
  if (wanted.length === 0) return entry
  const target = higher ? Math.max(...wanted) : Math.min(...wanted)
  return { ...entry, target, met: higher ? entry.ours >= target : entry.ours <= target }
}

/** A contender of this process: seconds per pass, over as many passes as make a measurable time. */
function timed(run) {
  const once = () => {
    const start = process.hrtime.bigint()
    run()
    return Number(process.hrtime.bigint() - start) / 1e9
  }
  const count = Math.max(1, Math.ceil(leastSeconds / Math.min(once(), once(), once())))
  return () => {
    const start = process.hrtime.bigint()
    for (let pass = 0; pass < count; pass++) run()
    return Number(process.hrtime.bigint() - start) / 1e9 / count
  }
}

async function timedPeer(peer) {
  const once = Math.min(await peer.time(1), await peer.time(1))
  const count = Math.max(1, Math.ceil(leastSeconds / once))
  return () => peer.time(count)
}

/** Root mean square of ours minus theirs, relative to ours, over elements spread over the whole output; 0 where ours has none. */
async function difference(output, peer) {
  if (output === undefined) return 0
  const indices = spread(output.length)
  const { values, length } = await peer.sample(indices)
  if (length !== output.length) throw new Error(`${peer.name} gives ${length} numbers, ours ${output.length}`)
  return relativeError(
    indices.map((index) => output[index]),
    values,
  )
}

/** Indices spread over [0, length), the first and the last among them. */
export function spread(length) {
  const count = Math.min(sampled, length)
  return Array.from({ length: count }, (_, index) =>
    Math.round((index * (length - 1)) / Math.max(1, count - 1)),
  )
}

/** √(Σ (a − b)² / Σ a²) */
export function relativeError(a, b) {
  const squares = (list) => list.reduce((sum, x) => sum + x * x, 0)
  return Math.sqrt(squares(a.map((x, index) => x - b[index])) / squares(a))
}
