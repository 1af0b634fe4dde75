/** What a power sensor shows and what it can show physically. */
export interface PowerSensor {
  /** Nothing behind this sensor draws more, in watts. */
  readonly maxWatts: number
  /** A value is at most this old when it is read, in seconds. */
  readonly refreshSeconds: number
  /** A value is the mean power of this long before its refresh: 1 for a trailing average of 1 s; 0 for the power of a moment. */
  readonly averagingSeconds: number
  /** The smallest step of the value, in watts. */
  readonly unitWatts: number
}

/** A value of the sensor, refreshed at an unknown moment between `from` and `to`, in seconds. */
export interface PowerPoint {
  readonly watts: number
  readonly from: number
  readonly to: number
}

/** A stretch of time, in seconds. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

/** Joules: the most likely, and all that the points allow. */
export interface EnergyBounds {
  readonly joules: number
  readonly low: number
  readonly high: number
  /** The seconds that values are averages of. */
  readonly seenSeconds: number
}

/**
 * The energy of a stretch of time from power values: the least and the most that any power between 0 and `maxWatts` can have used that
 * shows these values. E is the energy used up to a time; a value w, the mean of A seconds up to some τ in [from, to], says
 *
 *     E(from) − E(to − A) ≤ A·w    and    E(to) − E(from − A) ≤ A·w + maxWatts·(to − from)
 *
 * and physics 0 ≤ E(y) − E(x) ≤ maxWatts·(y − x). The most is the shortest path through these differences, found in one pass in the order
 * of time; the least is the most of the power that was not drawn, maxWatts − P. So overlapping averages telescope, and what a sensor never
 * looked at stays unknown. No assumption is made about how the power moves.
 *
 * Points are in the order of time. `low > high` says that no such power exists: the sensor is not what it is said to be.
 */
export function integratePower(
  points: readonly PowerPoint[],
  stretch: Stretch,
  sensor: PowerSensor,
): EnergyBounds {
  const { maxWatts, unitWatts } = sensor
  const most = (watts: (point: PowerPoint) => number): number =>
    mostEnergy(
      points.map((point) => ({ ...point, watts: Math.min(maxWatts, watts(point) + unitWatts) })),
      stretch,
      sensor,
    )
  const high = most(({ watts }) => watts)
  const low = maxWatts * (stretch.to - stretch.from) - most(({ watts }) => maxWatts - watts)
  const likely = likelyEnergy(points, stretch, sensor)
  return {
    joules: Math.min(Math.max(likely, low), high),
    low,
    high,
    seenSeconds: seenSeconds(points, stretch, sensor),
  }
}

function mostEnergy(points: readonly PowerPoint[], stretch: Stretch, sensor: PowerSensor): number {
  const { maxWatts, averagingSeconds } = sensor
  const frontier = new Frontier(stretch.from, maxWatts)
  for (const { watts, from, to } of points) {
    const joules = averagingSeconds * watts
    frontier.add(from, frontier.at(to - averagingSeconds) + joules)
    frontier.add(to, frontier.at(from - averagingSeconds) + joules + maxWatts * (to - from))
  }
  return frontier.at(stretch.to)
}

/** Upper bounds of E(time) − E(start): they rise with time, and by less than maxWatts. */
class Frontier {
  readonly #maxWatts: number
  readonly #times: number[]
  readonly #joules: number[] = [0]

  constructor(start: number, maxWatts: number) {
    this.#maxWatts = maxWatts
    this.#times = [start]
  }

  at(time: number): number {
    const next = this.#firstFrom(time)
    const rising = next === 0 ? 0 : this.#joules[next - 1]! + this.#maxWatts * (time - this.#times[next - 1]!)
    if (next === 0) return 0
    return next === this.#times.length ? rising : Math.min(rising, this.#joules[next]!)
  }

  add(time: number, joules: number): void {
    if (joules >= this.at(time)) return
    const next = this.#firstFrom(time)
    let first = next // what was thought of earlier times is no lower bound of theirs any more
    while (first > 1 && this.#joules[first - 1]! >= joules) first--
    let last = next // nor of later times that are reached more cheaply from here
    while (
      last < this.#times.length &&
      this.#joules[last]! >= joules + this.#maxWatts * (this.#times[last]! - time)
    )
      last++
    this.#times.splice(first, last - first, time)
    this.#joules.splice(first, last - first, joules)
  }

  /** The first entry at `time` or later. Times asked for lie near the end. */
  #firstFrom(time: number): number {
    let index = this.#times.length
    while (index > 0 && this.#times[index - 1]! >= time) index--
    return index
  }
}

/** Each value stands for the time from half its averaging before it to half its averaging before the next. */
function likelyEnergy(points: readonly PowerPoint[], stretch: Stretch, sensor: PowerSensor): number {
  let joules = 0
  points.forEach(({ watts, from, to }, index) => {
    const next = points[index + 1]
    const lag = sensor.averagingSeconds / 2
    const begin = index === 0 ? stretch.from : Math.max(stretch.from, (from + to) / 2 - lag)
    const end = next === undefined ? stretch.to : Math.min(stretch.to, (next.from + next.to) / 2 - lag)
    joules += watts * Math.max(0, end - begin)
  })
  return joules
}

function seenSeconds(points: readonly PowerPoint[], stretch: Stretch, sensor: PowerSensor): number {
  let seen = 0
  let until = stretch.from
  for (const { to } of points) {
    const end = Math.min(to, stretch.to)
    seen += Math.max(0, end - Math.max(until, to - sensor.averagingSeconds))
    until = Math.max(until, end)
  }
  return seen
}
