import type { Experiment } from '../experiment.js'
import { exitShares } from '../summary.js'

const [width, line, label] = [720, 44, 190]

/** Which share of the digits left after how many layers, one bar for each way. */
export function exitBars({ full, calibrated, article, settings }: Experiment): string {
  const ways = [
    ['per sample, calibrated', calibrated],
    ['batch mean of the article', article],
    ['full depth', full],
  ] as const
  const bars = ways.map(([name, measured], row) => {
    let from = label
    const parts = exitShares(measured, settings.model.exits.length).map((share, k) => {
      const span = share * (width - label)
      const start = from
      from += span
      const words =
        span < 40
          ? ''
          : `<text class="inside middle" x="${start + span / 2}" y="${row * line + 26}">${(100 * share).toFixed(1)} %</text>`
      return `<rect class="exit-${k}" x="${start}" y="${row * line + 6}" width="${span}" height="${line - 12}"><title>${(100 * share).toFixed(2)} % after ${settings.model.exits[k]} layers</title></rect>${words}`
    })
    return `<text x="0" y="${row * line + 26}">${name}</text>${parts.join('')}`
  })
  return `<svg viewBox="0 0 ${width} ${ways.length * line}" role="img" aria-label="Exit depths">${bars.join('')}</svg>`
}
