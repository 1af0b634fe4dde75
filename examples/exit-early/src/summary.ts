import { articleThreshold, type Experiment, type Point } from './experiment.js'
import type { Measured } from './measure.js'

/** Share of the rows that left at each stage. */
export function exitShares({ exits }: Measured, stages: number): number[] {
  return Array.from({ length: stages }, (_, k) => exits.filter((exit) => exit === k).length / exits.length)
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

/** The fastest point of a curve that loses no more accuracy than ε on the test digits themselves. */
export function fastestWithin({ full, settings }: Experiment, curve: readonly Point[]): Point | undefined {
  return curve
    .filter(({ measured }) => full.accuracy - measured.accuracy <= settings.epsilon)
    .toSorted((a, b) => a.measured.median - b.measured.median)[0]
}

/** What the example found, as rows of a table; the first is its head. */
export function summaryRows(found: Experiment): string[][] {
  const { full, calibrated, article, calibration, curves, settings } = found
  const row = (name: string, of: Measured): string[] => [
    name,
    `${of.median.toFixed(2)} ms`,
    `${of.best.toFixed(2)} ms`,
    `${(full.median / of.median).toFixed(2)} ×`,
    `${(full.best / of.best).toFixed(2)} ×`,
    percent(of.accuracy),
    exitShares(of, settings.model.exits.length).map(percent).join(' / '),
  ]
  const rival = fastestWithin(found, curves.batchMean)
  return [
    [
      '',
      'median',
      'best',
      'speed-up',
      'of the best',
      'accuracy',
      `left after ${settings.model.exits.join(' / ')} layers`,
    ],
    row('full depth', full),
    row(`per sample, calibrated ${calibration.threshold.toFixed(3)}`, calibrated),
    row(`batch mean, ${articleThreshold} (article)`, article),
    ...(rival === undefined
      ? []
      : [row(`batch mean, ${rival.threshold} (best on the test digits)`, rival.measured)]),
  ]
}

/** The same, aligned for a terminal. */
export function summaryText(found: Experiment): string {
  const rows = summaryRows(found)
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
    .join('\n')
}
