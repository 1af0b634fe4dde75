import type { Reading } from '../../reading/reading.js'
import { CounterAccount } from '../counter-account.js'
import { PowerAccount } from '../power-account.js'
import { leastAverageWidth, leastCounterWidth, leastDutyWidth, type CounterRead } from './least-width.js'
import { randomSignal, seeded, type PowerSignal, type Random, type signalShapes } from './power-signal.js'

/** One window over one signal, as a sensor saw it. */
export interface Trace {
  readonly reading: Reading
  readonly truth: number
  /** The least width of bounds that always hold. */
  readonly least: number
}

/** Nominal: instants of a counter's refresh are up to a fifth of it early or late. */
export const sensors = {
  'counter every 1 ms': { refresh: 0.001 },
  'counter every 10 ms': { refresh: 0.01 },
  'counter every 100 ms': { refresh: 0.1 },
  'power, 25 ms of every 100 ms': { refresh: 0.1, averaging: 0.025 },
  'power, trailing average of 1 s every 100 ms': { refresh: 0.1, averaging: 1 },
} as const

const maxWatts = 875 // a quarter above a limit of 700 W
const unit = 0.001
/** So few joules that every few seconds see a wrap. */
const modulus = 3000
/** How long a read may take. */
const latency = 0.0002
const warmup = 2.5

/** A random window of 5 ms to 30 s, read at random, with one sample of ten lost. */
export function randomTrace(
  sensor: keyof typeof sensors,
  shape: (typeof signalShapes)[number],
  seed: number,
): Trace {
  const random = seeded(seed)
  const seconds = 0.005 * 6000 ** random()
  const { refresh, averaging } = { averaging: undefined, ...sensors[sensor] }
  const signal = randomSignal(shape, warmup + seconds + 2, refresh, random)
  const from = warmup + random()
  const session = { signal, random, from, to: from + seconds }
  return averaging === undefined ? counterTrace(session, refresh) : powerTrace(session, { refresh, averaging })
}

interface Session {
  readonly signal: PowerSignal
  readonly random: Random
  readonly from: number
  readonly to: number
}

/** A clock, and a sampler that runs by it from the beginning to the end of a window. */
function runWindow(
  { random, from, to }: Session,
  account: CounterAccount | PowerAccount,
  clock: { time: number },
  period: number,
): Reading {
  const sampleUntil = (end: number): void => {
    for (;;) {
      const next = clock.time + period * (0.7 + 0.6 * random())
      if (next >= end) break
      clock.time = next
      if (random() >= 0.1) account.sample()
    }
    clock.time = end
  }
  sampleUntil(from)
  const span = account.startSpan()
  sampleUntil(Math.max(to, clock.time))
  return span.read()
}

function counterTrace(session: Session, refresh: number): Trace {
  const { signal, random } = session
  const phase = refresh * random()
  const jitterSeed = Math.floor(random() * 2 ** 31)
  const instant = (index: number): number =>
    phase + (index + 0.4 * (seeded(jitterSeed + index)() - 0.5)) * refresh
  const clock = { time: 0.5 }
  const reads: CounterRead[] = []
  const start = modulus * random()
  const read = (): number => {
    const since = clock.time
    clock.time += latency * random()
    let index = Math.floor((clock.time - phase) / refresh) + 1
    while (instant(index) > clock.time) index--
    clock.time += latency * random()
    const joules = Math.floor((start + signal.energy(instant(index))) / unit) * unit
    reads.push({ since, time: clock.time, joules })
    return joules % modulus
  }
  const limits = { modulus, unit, maxWatts, refreshSeconds: 1.4 * refresh }
  const account = new CounterAccount(
    { source: 'test', domain: 'test', read, stuckAfterSeconds: 1, ...limits },
    () => clock.time,
  )
  const period = [0.02, 0.1, 1][Math.floor(3 * random())]!
  const { reading, from, to } = window(session, () => runWindow(session, account, clock, period), clock)
  return {
    reading,
    truth: signal.energy(to) - signal.energy(from),
    least: leastCounterWidth(reads, { from, to }, { refresh: 1.4 * refresh, unit, maxWatts }),
  }
}

function powerTrace(session: Session, { refresh, averaging }: { refresh: number; averaging: number }): Trace {
  const { signal, random } = session
  const phase = refresh * random()
  const clock = { time: 1.2 }
  const first = phase + Math.ceil((clock.time - phase) / refresh - 1) * refresh
  const value = (time: number): number => Math.round(signal.mean(time - averaging, time) / unit) * unit
  const latest = (): number => phase + Math.floor((clock.time - phase) / refresh) * refresh
  const read = (): number => {
    clock.time += latency * random()
    const watts = value(latest())
    clock.time += latency * random()
    return watts
  }
  const account = new PowerAccount(
    {
      source: 'test',
      domain: 'test',
      read,
      maxWatts,
      refreshSeconds: refresh,
      averagingSeconds: averaging,
      unitWatts: unit,
      assumptions: [],
    },
    () => clock.time,
  )
  const period = [0.01, 0.02, 0.05][Math.floor(3 * random())]!
  const { reading, from, to } = window(session, () => runWindow(session, account, clock, period), clock)
  const times: number[] = []
  for (let time = first; time <= to; time += refresh) times.push(time)
  const stretch = { from, to }
  return {
    reading,
    truth: signal.energy(to) - signal.energy(from),
    least:
      averaging < refresh
        ? leastDutyWidth(times.map((time) => ({ time, watts: value(time) })), stretch, { averaging, maxWatts })
        : leastAverageWidth(times.map(value), stretch, {
            first,
            refresh,
            cells: Math.round(averaging / refresh),
            maxWatts,
          }),
  }
}

/** The window as the account's clock saw it: reads take time, so it begins and ends a little after it was asked for. */
function window(session: Session, run: () => Reading, clock: { time: number }): { reading: Reading; from: number; to: number } {
  const reading = run()
  return { reading, from: clock.time - reading.seconds, to: clock.time }
}
