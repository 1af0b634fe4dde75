import { quantile } from '../lib/statistics.mjs'
import { playClosed, playOpen, summarise } from './load.mjs'

/** Plays a trace, or its first `seconds`, against a system that is opened for it; what is unfinished after the latency target is given up. */
export async function playOnce({ trace, seconds, open, session, inputs, targetMs, request }) {
  const system = open({ run: session.run, targetMs })
  const submit = (index) => system.submit(inputs[index % inputs.length], request?.(index))
  const graceMs = targetMs + 5
  const milliseconds = seconds * 1000
  const played =
    trace.arrivals === undefined
      ? await playClosed({ ...trace, milliseconds, submit, graceMs })
      : await playOpen({ arrivals: trace.arrivals.filter((ms) => ms < milliseconds), submit, graceMs })
  await system.close()
  await session.abandon()
  const { lateMs = [] } = played
  return {
    ...played,
    ...summarise(played, { targetMs, seconds }),
    late: { p50: quantile(lateMs, 0.5), p99: quantile(lateMs, 0.99) },
  }
}
