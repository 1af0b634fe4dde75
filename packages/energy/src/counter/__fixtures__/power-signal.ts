/** Watts at the beginning and the end of so many seconds. */
interface Line {
  readonly seconds: number
  readonly watts: readonly [number, number]
}

/** A power that is known at every moment, in watts and seconds, as straight lines between its nodes. */
export class PowerSignal {
  readonly #times: readonly number[]
  /** Watts at the beginning and the end of each line. */
  readonly #watts: readonly (readonly [number, number])[]
  /** Joules until each node. */
  readonly #joules: number[] = [0]

  /** `lines` follow one another from time 0; the last goes on. */
  constructor(lines: readonly Line[]) {
    const times = [0]
    for (const { seconds, watts } of lines) {
      times.push(times.at(-1)! + seconds)
      this.#joules.push(this.#joules.at(-1)! + (seconds * (watts[0] + watts[1])) / 2)
    }
    this.#times = times
    this.#watts = lines.map(({ watts }) => watts)
  }

  /** The energy used from time 0 to this one. */
  energy(time: number): number {
    if (time <= 0) return time * this.#watts[0]![0]
    let [line, above] = [0, this.#watts.length]
    while (above - line > 1) {
      const middle = (line + above) >> 1
      if (this.#times[middle]! <= time) line = middle
      else above = middle
    }
    const begin = this.#times[line]!
    const [first, last] = this.#watts[line]!
    const slope = (last - first) / (this.#times[line + 1]! - begin)
    const into = time - begin
    return this.#joules[line]! + into * (first + (slope * Math.min(into, this.#times[line + 1]! - begin)) / 2)
  }

  /** The mean power of a stretch. */
  mean(from: number, to: number): number {
    return (this.energy(to) - this.energy(from)) / (to - from)
  }
}

/** A number of [0, 1). */
export type Random = () => number

export const signalShapes = ['steps', 'bursts', 'ramps', 'periodic'] as const

const [idleWatts, busyWatts] = [70, 600]

/** A signal of a shape between idle and busy, at least `seconds` long; `period` is that of a sensor, which some periodic ones hit exactly. */
export function randomSignal(shape: (typeof signalShapes)[number], seconds: number, period: number, random: Random): PowerSignal {
  const level = (): number => idleWatts + (busyWatts - idleWatts) * random()
  const logarithmic = (least: number, most: number): number => least * (most / least) ** random()
  const cycle = random() < 0.25 ? period / Math.ceil(3 * random()) : logarithmic(0.005, 2)
  const duty = 0.1 + 0.8 * random()
  const [high, low] = [busyWatts - 200 * random(), idleWatts + 100 * random()]
  let last = level()
  const line = (length: number, first: number, end = first): Line => ({ seconds: length, watts: [first, end] })
  const next = (): Line[] => {
    if (shape === 'steps') return [line(logarithmic(0.01, 2), level())]
    if (shape === 'ramps') return [line(logarithmic(0.05, 2), last, (last = level()))]
    if (shape === 'periodic') return [line(cycle * duty, high), line(cycle * (1 - duty), low)]
    return [line(logarithmic(0.02, 1), idleWatts), line(logarithmic(0.003, 0.05), busyWatts)]
  }
  const lines: Line[] = []
  let until = 0
  while (until < seconds) {
    for (const each of next()) {
      lines.push(each)
      until += each.seconds
    }
  }
  return new PowerSignal(lines)
}

/** Numbers of [0, 1) that are the same for the same seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
