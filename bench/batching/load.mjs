import { exponential, random } from '../lib/random.mjs'
import { quantile } from '../lib/statistics.mjs'

/** A generator that is behind sends no more than these before it lets the event loop turn: what is answered at once must be seen at once. */
const mostPerTurn = 64

/**
 * Plays an open trace: request i leaves at `arrivals[i]`, whatever has become of those before. Latency counts from that moment, not from
 * when the event loop came to it, so that a system that stops the loop pays for it.
 *
 * `submit(i)` → promise. Returns `latencyMs` (NaN where no answer came within the time), `late` (how far behind the trace the generator
 * was), and of each refusal on arrival how long it took.
 */
export async function playOpen({ arrivals, submit, graceMs }) {
  const latencyMs = new Float64Array(arrivals.length).fill(NaN)
  const lateMs = new Float64Array(arrivals.length).fill(NaN)
  const refusedAfterMs = new Float64Array(arrivals.length).fill(NaN)
  const start = performance.now() + 2
  const send = (index) => {
    const sentAt = performance.now()
    lateMs[index] = sentAt - start - arrivals[index]
    submit(index).then(
      () => (latencyMs[index] = performance.now() - start - arrivals[index]),
      ({ code }) => {
        if (code === 'ERR_BIO_QUEUE_FULL') refusedAfterMs[index] = performance.now() - sentAt
      },
    )
  }
  let next = 0
  await untilDone(() => {
    const ms = performance.now() - start
    for (let sent = 0; sent < mostPerTurn && arrivals[next] <= ms; sent++) send(next++)
    return next === arrivals.length ? undefined : arrivals[next] - ms
  })
  await sleep(graceMs)
  return { latencyMs: latencyMs.slice(), lateMs, refusedAfterMs: refusedAfterMs.slice() }
}

/** Plays a closed trace for `milliseconds`: `clients` of them, each sending again `thinkMs` (on average) after its last answer. */
export async function playClosed({ clients, thinkMs, milliseconds, submit, graceMs, seed = 1 }) {
  const latencies = []
  const end = performance.now() + milliseconds
  const next = random(seed)
  let sent = 0
  const client = async () => {
    if (thinkMs > 0) await sleep(exponential(next, 1 / thinkMs))
    while (performance.now() < end) {
      const sentAt = performance.now()
      try {
        await submit(sent++)
        latencies.push(performance.now() - sentAt)
      } catch {
        latencies.push(NaN)
        await sleep(1)
      }
      if (thinkMs > 0) await sleep(exponential(next, 1 / thinkMs))
    }
  }
  const all = Promise.all(Array.from({ length: clients }, client))
  await Promise.race([all, sleep(milliseconds + graceMs)])
  return { latencyMs: Float64Array.from(latencies) }
}

/** What came of a load: answers within the target per second, and the quantiles of the answers' latency. */
export function summarise({ latencyMs }, { targetMs, seconds }) {
  const answered = latencyMs.filter((ms) => !Number.isNaN(ms))
  const inTime = answered.filter((ms) => ms <= targetMs).length
  return {
    goodput: inTime / seconds,
    answered: answered.length,
    requests: latencyMs.length,
    p50: quantile(answered, 0.5),
    p99: quantile(answered, 0.99),
  }
}

/** Calls `step` until it returns undefined; between calls so long as it says, in milliseconds: a timer for most of it, turns of the event loop for the rest. */
function untilDone(step) {
  return new Promise((resolve) => {
    const turn = () => {
      const waitMs = step()
      if (waitMs === undefined) resolve()
      else if (waitMs > 2.5) setTimeout(turn, waitMs - 1.5)
      else setImmediate(turn)
    }
    turn()
  })
}

function sleep(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}
