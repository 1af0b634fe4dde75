import { readFileSync } from 'node:fs'

/** A tensor of a golden file. */
export interface Golden {
  readonly shape: number[]
  readonly data: number[]
}

/** Reads a golden file of this folder; `tools/reference/tensor_golden.py` writes them. */
export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8')) as T
}

/** The largest |a − b| / (1 + |b|); Infinity where lengths differ or only one is finite. */
export function error(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity
  let worst = 0
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!) / (1 + Math.abs(expected[i]!))
    worst = Number.isNaN(difference) ? Infinity : Math.max(worst, difference)
  }
  return worst
}
