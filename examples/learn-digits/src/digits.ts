import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataset, type Dataset } from '@bio/continual'

/** The Optical Recognition of Handwritten Digits data of UCI: `optdigits.tra` and `optdigits.tes`, 8×8 pixels from 0 to 16, then the label. */
export function readDigits(folder: string): { train: Dataset; test: Dataset } {
  return {
    train: parseDigits(readFileSync(join(folder, 'optdigits.tra'), 'utf8')),
    test: parseDigits(readFileSync(join(folder, 'optdigits.tes'), 'utf8')),
  }
}

export function parseDigits(text: string): Dataset {
  const rows = text
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.trim().split(',').map(Number))
  return dataset({
    x: Float32Array.from(rows.flatMap((row) => row.slice(0, 64).map((pixel) => pixel / 16))),
    y: Int32Array.from(rows, (row) => row[64]!),
    xShape: [64],
  })
}
