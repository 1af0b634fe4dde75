import { articleThreshold, type Experiment, type Point } from '../experiment.js'
import type { Measured } from '../measure.js'

const [width, height] = [720, 380]
const [left, right, top, bottom] = [64, 20, 20, 48]

/** Where values lie in the picture. */
interface Axes {
  readonly x: (milliseconds: number) => number
  readonly y: (accuracy: number) => number
}

/** Accuracy against time of both rules at many thresholds, as SVG. */
export function tradeOff(found: Experiment): string {
  const { full, calibrated, article, calibration, curves, settings } = found
  const points = [...curves.perSample, ...curves.batchMean].map(({ measured }) => measured)
  const slowest = 1.05 * Math.max(full.best, ...points.map(({ best }) => best))
  const lowest = Math.min(full.accuracy - 2 * settings.epsilon, ...points.map(({ accuracy }) => accuracy))
  const highest = Math.max(full.accuracy, ...points.map(({ accuracy }) => accuracy))
  const [floor, ceiling] = [lowest - 0.1 * (highest - lowest), highest + 0.15 * (highest - lowest)]
  const axes: Axes = {
    x: (milliseconds) => left + (milliseconds / slowest) * (width - left - right),
    y: (accuracy) => top + ((ceiling - accuracy) / (ceiling - floor)) * (height - top - bottom),
  }
  const band = `<rect class="band" x="${left}" width="${width - left - right}" y="${axes.y(full.accuracy)}" height="${axes.y(full.accuracy - settings.epsilon) - axes.y(full.accuracy)}"/>`
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Accuracy against time per batch">
${band}${grid(axes, { slowest, floor, ceiling })}
${curve(curves.perSample, axes, 'sample')}${curve(curves.batchMean, axes, 'mean')}
${mark(full, axes, { kind: 'full', label: 'full depth', side: 'above' })}
${mark(article, axes, { kind: 'mean', label: `article: ${articleThreshold}`, side: 'right' })}
${mark(calibrated, axes, { kind: 'sample', label: `calibrated: ${calibration.threshold.toFixed(3)}`, side: 'left' })}
</svg>`
}

function grid(
  { x, y }: Axes,
  { slowest, floor, ceiling }: { slowest: number; floor: number; ceiling: number },
): string {
  const lines = ticks(floor, ceiling).map(
    (accuracy) =>
      `<line class="grid" x1="${left}" x2="${width - right}" y1="${y(accuracy)}" y2="${y(accuracy)}"/><text class="end" x="${left - 8}" y="${y(accuracy) + 4}">${Number((100 * accuracy).toFixed(2))} %</text>`,
  )
  const times = ticks(0, slowest).map(
    (time) =>
      `<text class="middle" x="${x(time)}" y="${height - bottom + 18}">${Number(time.toFixed(3))}</text>`,
  )
  return `${lines.join('')}${times.join('')}<text class="middle" x="${(left + width - right) / 2}" y="${height - 8}">milliseconds per batch, best pass</text>`
}

/** Round values between two, 4 to 8 of them: steps of 1, 2 or 5 times a power of ten. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 8
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough)!
  const first = Math.ceil(low / step)
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step)
}

function curve(points: readonly Point[], { x, y }: Axes, rule: string): string {
  const at = points.map(({ measured }) => `${x(measured.best).toFixed(1)},${y(measured.accuracy).toFixed(1)}`)
  const dots = points.map(
    ({ threshold, measured }, i) =>
      `<circle class="${rule}" r="3.5" cx="${at[i]!.split(',')[0]}" cy="${at[i]!.split(',')[1]}"><title>threshold ${threshold}: ${measured.best.toFixed(2)} ms, ${(100 * measured.accuracy).toFixed(2)} %</title></circle>`,
  )
  return `<polyline class="${rule}" points="${at.join(' ')}"/>${dots.join('')}`
}

/** Where a label stands beside its mark; to the right where it would leave the picture on the left. */
const places = {
  left: { anchor: 'end', dx: -14, dy: 5 },
  right: { anchor: 'start', dx: 14, dy: 5 },
  above: { anchor: 'middle', dx: 0, dy: -16 },
}

function mark(
  { best, accuracy }: Measured,
  { x, y }: Axes,
  { kind, label, side }: { kind: string; label: string; side: keyof typeof places },
): string {
  const [cx, cy] = [x(best), y(accuracy)]
  const { anchor, dx, dy } = side === 'left' && cx < left + 150 ? places.right : places[side]
  return `<circle class="mark ${kind}" r="8" cx="${cx}" cy="${cy}"/><text class="${anchor} strong" x="${cx + dx}" y="${cy + dy}">${label}</text>`
}
