// A quiet tenant beside one that sends a hundred times as much, more than the session can do.
import { printRows, row } from '../../lib/rows.mjs'
import { playOnce } from '../play-once.mjs'
import { ours } from '../systems.mjs'
import { poissonTrace } from '../traces.mjs'
import { quantile } from '../../lib/statistics.mjs'

const quietLoad = 0.02
const noisyTimes = 100
/** Runs so short that waiting for one and then sharing the next takes a request no more than twice its time alone. */
const smallBatch = 12

export async function tenantsPart({ session, inputs, capacity, targetMs, runMs, quick }) {
  const seconds = quick ? 4 : 15
  const quiet = poissonTrace({ capacity, load: quietLoad, seconds, seed: 11 }).arrivals
  const noisy = poissonTrace({ capacity, load: quietLoad * noisyTimes, seconds, seed: 12 }).arrivals
  const both = [
    ...quiet.map((ms) => ({ ms, tenant: 'quiet' })),
    ...noisy.map((ms) => ({ ms, tenant: 'noisy' })),
  ]
  both.sort((a, b) => a.ms - b.ms)
  const isQuiet = (index) => both[index].tenant === 'quiet'

  /** The quiet tenant's p99 latency, the part of its requests that were answered in time, and everybody's answers in time per second. */
  const play = async (arrivals, request, counts = () => true, options = {}) => {
    const result = await playOnce({
      trace: { arrivals },
      seconds,
      open: (system) => ours({ ...system, ...options }),
      session,
      inputs,
      targetMs,
      request,
    })
    const latencies = result.latencyMs.filter((_, index) => counts(index))
    const answered = latencies.filter((ms) => !Number.isNaN(ms))
    return {
      p99: quantile(answered, 0.99),
      inTime: answered.filter((ms) => ms <= targetMs).length / latencies.length,
      goodput: result.goodput,
    }
  }
  const arrivals = both.map(({ ms }) => ms)
  const alone = await play(quiet, () => ({ tenant: 'quiet' }))
  const beside = await play(arrivals, (index) => ({ tenant: both[index].tenant }), isQuiet)
  const unnamed = await play(arrivals, () => ({}), isQuiet)
  const smaller = await play(arrivals, (index) => ({ tenant: both[index].tenant }), isQuiet, {
    maxBatchSize: smallBatch,
  })
  const peer = (name, { p99, inTime, goodput }) => ({ name, value: p99, inTime, goodput })
  const rows = [
    row({
      subject: {
        part: 'tenants',
        tenant: `quiet, beside one ${noisyTimes} times as loud (load ${quietLoad * noisyTimes})`,
      },
      ours: beside.p99,
      unit: 'ms (p99)',
      better: 'lower',
      target: 2 * alone.p99,
      inTime: beside.inTime,
      goodput: beside.goodput,
      floor: `${(2 * runMs(32)).toFixed(1)} ms: the full batch that runs, then its own`,
      peers: [
        peer('alone', alone),
        peer('both as one tenant', unnamed),
        peer(`runs of at most ${smallBatch}`, smaller),
      ],
    }),
  ]
  printRows('A noisy neighbour', rows)
  return rows
}
