import { addReadings } from '../reading/arithmetic.js'
import type { Method, Reading } from '../reading/reading.js'
import { amount, duration, durationUnit, escape } from './html.js'

/** A stretch of constant power; null bounds are a gap. */
interface Stretch {
  readonly from: number
  readonly to: number
  readonly method: Method
  readonly power: { readonly low: number; readonly best: number; readonly high: number } | null
}

const width = 800
const height = 270
const plot = { left: 62, right: 30, top: 12, bottom: 34 }
const mostStretches = 600
/** Seconds; no clock here tells less. */
const shortest = 1e-9
/** Bounds beyond so many times the highest power are cut: those of a few milliseconds would press the rest to the floor. */
const headroom = 3
/** Watts; the steps of a scale that ends below are no numbers any more. */
const leastTop = 1e-300

/**
 * Power of readings that follow one another: a line in the colour of the method, its bounds as a band, a gap where nobody knows.
 * More than 600 are added up in groups.
 */
export function powerChart(readings: readonly Reading[]): string {
  const stretches = toStretches(readings)
  const known = stretches.flatMap(({ power }) => power ?? [])
  const end = stretches.at(-1)?.to ?? 0
  if (known.length === 0) return '<p class="none">No power is known.</p>'
  const highest = Math.max(...known.map(({ high }) => high))
  const limit = headroom * Math.max(...known.map(({ best }) => best))
  const reached = limit > 0 ? Math.min(highest, limit) : highest
  const top = reached > leastTop ? reached : 1
  const x = (seconds: number): string =>
    (plot.left + (seconds / end) * (width - plot.left - plot.right)).toFixed(1)
  const y = (watts: number): string =>
    (height - plot.bottom - (Math.min(watts, top) / top) * (height - plot.top - plot.bottom)).toFixed(1)
  const lines = groups(stretches).map((group) => {
    const first = group[0]!
    const edge = (side: 'low' | 'best' | 'high'): string =>
      group
        .map(
          ({ to, power }, index) => `${index === 0 ? '' : 'V'}${index === 0 ? '' : y(power![side])}H${x(to)}`,
        )
        .join('')
    const back = group
      .toReversed()
      .map(({ from, power }) => `V${y(power!.low)}H${x(from)}`)
      .join('')
    const start = `M${x(first.from)} `
    return (
      `<path class="band ${first.method}" d="${start}${y(first.power!.high)}${edge('high')}${back}Z"/>` +
      `<path class="line ${first.method}" d="${start}${y(first.power!.best)}${edge('best')}"/>`
    )
  })
  const cut = highest > top ? ` Bounds above ${amount(top, 'W')} are cut off.` : ''
  const methods = [...new Set(stretches.flatMap(({ method, power }) => (power === null ? [] : method)))].map(
    (method) => `<span class="key ${method}">${method}</span>`,
  )
  return `<figure><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Power over time">
${ticks(top, 4)
  .map(
    (watts) =>
      `<path class="grid" d="M${plot.left} ${y(watts)}H${width - plot.right}"/><text x="${plot.left - 8}" y="${Number(y(watts)) + 4}" text-anchor="end">${amount(watts, 'W')}</text>`,
  )
  .join('')}
${timeTicks(end)
  .map(
    (seconds) =>
      `<text x="${x(seconds)}" y="${height - 12}" text-anchor="middle">${duration(seconds, end)}</text>`,
  )
  .join('')}
${lines.join('\n')}
</svg><figcaption>${methods.join(' ')} Line: best value. Band: its bounds. Gap: unknown.${escape(cut)}</figcaption></figure>`
}

function toStretches(readings: readonly Reading[]): Stretch[] {
  const size = Math.max(1, Math.ceil(readings.length / mostStretches))
  const grouped = Array.from({ length: Math.ceil(readings.length / size) }, (_, index) =>
    addReadings(readings.slice(index * size, (index + 1) * size)),
  )
  let from = 0
  return grouped
    .filter(({ seconds }) => seconds >= shortest)
    .map(({ joules, low, high, seconds, method }) => {
      const to = from + seconds
      const per = (value: number): number => Math.max(0, value) / seconds
      const power = joules === null ? null : { low: per(low), best: per(joules), high: per(high) }
      const stretch = { from, to, method, power }
      from = to
      return stretch
    })
}

/** Neighbours that are known by the same method. */
function groups(stretches: readonly Stretch[]): Stretch[][] {
  const found: Stretch[][] = []
  let before: Stretch | undefined
  for (const stretch of stretches) {
    if (stretch.power !== null) {
      if (before?.power != null && before.method === stretch.method) found.at(-1)!.push(stretch)
      else found.push([stretch])
    }
    before = stretch
  }
  return found
}

/** Round numbers from 0 to the top, about so many. */
function ticks(top: number, count: number): number[] {
  const rough = top / count
  const magnitude = 10 ** Math.floor(Math.log10(rough))
  const step = magnitude * ([1, 2, 5, 10].find((factor) => factor * magnitude >= rough) ?? 10)
  return Array.from({ length: Math.floor(top / step + 1e-9) + 1 }, (_, index) => index * step)
}

/** Round numbers of the unit in which a time so long is told. */
function timeTicks(end: number): number[] {
  const { seconds } = durationUnit(end)
  return ticks(end / seconds, 6).map((value) => value * seconds)
}
