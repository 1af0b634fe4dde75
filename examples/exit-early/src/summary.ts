import { articleThreshold, type Experiment } from './experiment.js'
import type { Measured } from './measure.js'

/** Share of the rows that left at each stage. */
export function exitShares({ exits }: Measured, stages: number): number[] {
  return Array.from({ length: stages }, (_, k) => exits.filter((exit) => exit === k).length / exits.length)
}

/** What the example found, as rows of a table; the first is its head. */
export function summaryRows({
  full,
  calibrated,
  article,
  tuned,
  calibration,
  settings,
}: Experiment): string[][] {
  const row = (name: string, of: Measured): string[] => [
    name,
    `${of.median.toFixed(2)} ms`,
    `${of.best.toFixed(2)} ms`,
    `${(full.median / of.median).toFixed(2)} ×`,
    `${(full.best / of.best).toFixed(2)} ×`,
    `${(100 * of.accuracy).toFixed(2)} %`,
    `${exitShares(of, settings.model.exits.length)
      .map((share) => (100 * share).toFixed(1))
      .join(' / ')} %`,
  ]
  return [
    [
      'per batch',
      'median',
      'best',
      '× median',
      '× best',
      'accuracy',
      `after ${settings.model.exits.join(', ')} layers`,
    ],
    row('full depth', full),
    row(`per sample, ${calibration.threshold.toFixed(3)} (calibrated)`, calibrated),
    row(`batch mean, ${articleThreshold} (the article’s)`, article),
    row(`batch mean, ${tuned.threshold} (tuned on the test)`, tuned.measured),
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
