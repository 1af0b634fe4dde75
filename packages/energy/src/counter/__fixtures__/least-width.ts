/** A read of a counter that never wraps: made between `since` and `time`, in joules. */
export interface CounterRead {
  readonly since: number
  readonly time: number
  readonly joules: number
}

interface Window {
  readonly from: number
  readonly to: number
}

/**
 * The least width of bounds that always hold, for a counter of steps `unit` that is up to `refresh` seconds old, over hardware that draws
 * 0 to `maxWatts`: the width of the set of energies that some power can have used which shows exactly these reads.
 *
 * With E(t) the energy up to t, a read of c says E(since − refresh) < c + unit and E(time) ≥ c; a change to c says E(since of the read before)
 * < c + unit, for it was refreshed after that. With 0 ≤ E(y) − E(x) ≤ maxWatts·(y − x) these are all differences, and bounds of differences
 * are shortest paths: from the window's start to its end either directly, or by way of the counter. Every value within is taken by some
 * power, so no method can know more from these reads.
 */
export function leastCounterWidth(
  reads: readonly CounterRead[],
  window: Window,
  { refresh, unit, maxWatts }: { refresh: number; unit: number; maxWatts: number },
): number {
  const most = (at: number): number =>
    Math.min(
      ...reads.flatMap(({ since, joules }, index) => {
        const next = reads[index + 1]
        const below = [[since - refresh, joules + unit] as const]
        if (next !== undefined && next.joules !== joules) below.push([since, next.joules + unit])
        return below.map(([time, limit]) => limit + maxWatts * Math.max(0, at - time))
      }),
    )
  const least = (at: number): number =>
    Math.max(...reads.map(({ time, joules }) => joules - maxWatts * Math.max(0, time - at)))
  const { from, to } = window
  const high = Math.min(most(to) - least(from), maxWatts * (to - from))
  return high - Math.max(0, least(to) - most(from))
}

/**
 * The same for a sensor that shows the mean power of `averaging` seconds, refreshed at `refreshes`, at most one such time apart, and which
 * looks at nothing between (averaging below refresh): the energy of every averaging is known, that of the time between is anything, and an
 * averaging cut by the window's edge may have used its energy on either side. Whoever reads the sensor knows its refreshes less exactly.
 */
export function leastDutyWidth(
  refreshes: readonly { readonly time: number; readonly watts: number }[],
  window: Window,
  { averaging, maxWatts }: { averaging: number; maxWatts: number },
): number {
  let width = maxWatts * (window.to - window.from)
  for (const { time, watts } of refreshes) {
    const inside = Math.max(0, Math.min(time, window.to) - Math.max(time - averaging, window.from))
    if (inside === 0) continue
    const joules = averaging * watts
    const most = Math.min(joules, maxWatts * inside)
    const least = Math.max(0, joules - maxWatts * (averaging - inside))
    width -= maxWatts * inside - (most - least)
  }
  return width
}

/**
 * The same for trailing averages that overlap: of `cells` refreshes each, `refresh` seconds apart, the first at `first`.
 *
 * With x_k the energy between two refreshes, A·w_k = x_{k−cells+1} + … + x_k, so x_k = x_{k−cells} + A·(w_k − w_{k−1}): all is known but the
 * energies of the first `cells`, of which the sum is, and which every 0 ≤ x_k ≤ maxWatts·refresh narrows. The energy of a window is a
 * concave function of each of them (a cell that its edge cuts may have used its energy on either side), so that filling the steepest
 * first gives the most; and the least is the same of the power not drawn. Whoever reads the sensor knows its refreshes less exactly.
 */
export function leastAverageWidth(
  averages: readonly number[],
  window: Window,
  sensor: { first: number; refresh: number; cells: number; maxWatts: number },
): number {
  const { maxWatts, first, refresh } = sensor
  const most = mostOfAverages(averages, window, sensor)
  const not = mostOfAverages(averages.map((watts) => maxWatts - watts), window, sensor)
  const last = first + (averages.length - 1) * refresh
  const unseen = Math.max(0, window.to - Math.max(last, window.from))
  return most + not - maxWatts * (window.to - window.from - unseen) + maxWatts * unseen
}

function mostOfAverages(
  averages: readonly number[],
  window: Window,
  { first, refresh, cells, maxWatts }: { first: number; refresh: number; cells: number; maxWatts: number },
): number {
  const averaging = refresh * cells
  const full = maxWatts * refresh
  const begin = first - averaging
  const count = cells + averages.length - 1
  const offsets: number[] = []
  for (let cell = 0; cell < count; cell++) {
    const index = cell - cells + 1 // of the average that ends with the cell
    offsets.push(cell < cells ? 0 : offsets[cell - cells]! + averaging * (averages[index]! - averages[index - 1]!))
  }
  let joules = 0
  let left = averaging * averages[0]!
  const slopes: { slope: number; room: number }[] = []
  for (let base = 0; base < cells; base++) {
    let [low, high] = [0, full]
    const kinks: number[] = []
    let slope = 0
    const parts: { offset: number; limit: number }[] = []
    for (let cell = base; cell < count; cell += cells) {
      const offset = offsets[cell]!
      low = Math.max(low, -offset)
      high = Math.min(high, full - offset)
      const [from, to] = [begin + cell * refresh, begin + (cell + 1) * refresh]
      const inside = Math.max(0, Math.min(to, window.to) - Math.max(from, window.from))
      if (inside > 0) parts.push({ offset, limit: maxWatts * inside })
    }
    for (const { offset, limit } of parts) {
      joules += Math.min(low + offset, limit)
      if (low + offset < limit) slope++
      kinks.push(limit - offset)
    }
    left -= low
    let at = low
    for (const kink of [...kinks.filter((value) => value > low && value < high).toSorted((a, b) => a - b), high]) {
      slopes.push({ slope, room: Math.max(0, kink - at) })
      slope--
      at = kink
    }
  }
  for (const { slope, room } of slopes.toSorted((a, b) => b.slope - a.slope)) {
    const taken = Math.min(room, Math.max(0, left))
    joules += Math.max(0, slope) * taken
    left -= taken
  }
  return joules
}
