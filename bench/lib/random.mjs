/** Uniform numbers in [0, 1), the same for the same seed: mulberry32, 32 bits of state. */
export function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A time until the next of events that come independently, `rate` of them in a unit of time on average. */
export function exponential(next, rate) {
  return -Math.log(1 - next()) / rate
}
