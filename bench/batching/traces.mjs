import { exponential, random } from '../lib/random.mjs'

/**
 * The twenty arrival traces, each the same for the same capacity and length. `capacity` is what the session answers per second in full
 * batches, `seconds` the length. A pattern repeats within half a second, so that every part of a trace shows all of it.
 *
 * Open: `{ name, arrivals }`, milliseconds in order; arrivals wait for nobody. Closed: `{ name, clients, thinkMs }`, each client sending
 * its next request a while after its last answer. `bursty` marks what the target for bursts speaks of.
 */
export function traces({ capacity, seconds, seed = 1 }) {
  const milliseconds = seconds * 1000
  const perMs = capacity / 1000
  const open = (name, generate, bursty = false) => ({
    name,
    bursty,
    arrivals: generate(random(seed + hash(name)), milliseconds),
  })
  const varying = (rate, peak) => (next, end) => thinned(next, end, peak * perMs, (ms) => rate(ms) * perMs)
  const poisson = (load) => varying(() => load, load)
  const onOff = (on, onMs, off, offMs) => varying((ms) => (ms % (onMs + offMs) < onMs ? on : off), on)
  const wave = (low, high) =>
    varying((ms) => low + (high - low) * (0.5 - 0.5 * Math.cos((2 * Math.PI * ms) / 500)), high)
  const bursts = (load, meanSize, size = () => meanSize) => {
    const everyMs = meanSize / (load * perMs)
    return (next, end) => burst(next, end, everyMs, size)
  }
  return [
    open('poisson 0.05', poisson(0.05)),
    open('poisson 0.2', poisson(0.2)),
    open('poisson 0.4', poisson(0.4)),
    open('poisson 0.6', poisson(0.6)),
    open('poisson 0.8', poisson(0.8)),
    open('poisson 0.95', poisson(0.95)),
    open('poisson 1.2', poisson(1.2)),
    open('poisson 2', poisson(2)),
    open('bursts of 8', bursts(0.1, 8), true),
    open('bursts of 32', bursts(0.5, 32), true),
    open('bursts of 128', bursts(0.5, 128), true),
    open(
      'bursts of 1 to 256',
      bursts(0.5, 128.5, (next) => Math.ceil(next() * 256)),
      true,
    ),
    open('on-off 0.9/0', onOff(0.9, 100, 0, 100)),
    open('on-off 1.5/0.1', onOff(1.5, 50, 0.1, 100), true),
    open('diurnal 0.05 to 0.9', wave(0.05, 0.9)),
    open('diurnal 0.2 to 1.4', wave(0.2, 1.4)),
    { name: 'closed, 1 client', clients: 1, thinkMs: 0 },
    { name: 'closed, 8 clients', clients: 8, thinkMs: 0 },
    { name: 'closed, 48 clients', clients: 48, thinkMs: 0 },
    { name: 'closed, 64 clients that think 10 ms', clients: 64, thinkMs: 10 },
  ]
}

/** The traces that `--quick` keeps: one of each kind and one beyond capacity. */
export const quickTraces = [
  'poisson 0.2',
  'poisson 0.8',
  'poisson 1.2',
  'bursts of 32',
  'bursts of 1 to 256',
  'on-off 1.5/0.1',
  'diurnal 0.05 to 0.9',
  'closed, 8 clients',
]

/** A Poisson process at a part or a multiple of the capacity. */
export function poissonTrace({ capacity, load, seconds, seed = 1 }) {
  const perMs = (load * capacity) / 1000
  return { name: `poisson ${load}`, arrivals: thinned(random(seed), seconds * 1000, perMs, () => perMs) }
}

/**
 * How many of these requests any scheduler could answer within `targetMs`, knowing all of them beforehand, if every batch were full and nothing
 * else took time: each takes `1000 / capacity` milliseconds, one after the other, and is left out where it would end too late. All wait
 * equally long, so no other choice answers more.
 */
export function mostInTime(arrivals, { capacity, targetMs }) {
  const eachMs = 1000 / capacity
  let count = 0
  let freeAt = 0
  for (const ms of arrivals) {
    const end = Math.max(freeAt, ms) + eachMs
    if (end > ms + targetMs) continue
    freeAt = end
    count += 1
  }
  return count
}

/** A Poisson process whose rate changes: candidates at the peak rate, each kept with probability rate / peak (Lewis and Shedler 1979). */
function thinned(next, end, peak, rate) {
  const arrivals = []
  for (let ms = exponential(next, peak); ms < end; ms += exponential(next, peak))
    if (next() * peak < rate(ms)) arrivals.push(ms)
  return arrivals
}

/** Bursts at exponential distances; those of one burst come within the same moment. */
function burst(next, end, everyMs, size) {
  const arrivals = []
  for (let ms = exponential(next, 1 / everyMs); ms < end; ms += exponential(next, 1 / everyMs))
    for (let left = size(next); left > 0; left--) arrivals.push(ms)
  return arrivals
}

function hash(name) {
  return [...name].reduce((sum, character) => (sum * 31 + character.codePointAt(0)) | 0, 7)
}
