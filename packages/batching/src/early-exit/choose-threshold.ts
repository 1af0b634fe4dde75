import { BioError } from '@bio/errors'
import { binomialAtMost, binomialUpperBound, rowsNeeded } from './binomial.js'

/** What the heads said of held-out rows that went to full depth: [stages] of [rows] each. */
export interface ExitTrace {
  readonly confidence: readonly ArrayLike<number>[]
  /** 1 where the head after this stage is right, else 0. */
  readonly right: readonly ArrayLike<number>[]
}

export interface ChosenThreshold {
  readonly threshold: number
  /** Rows that full depth gets right and the early exit wrong. */
  readonly lost: number
  /** What their share in the population is at most, with the confidence asked for. */
  readonly lostAtMost: number
  /** Share of the rows that are right; 1 at full depth without labels. */
  readonly accuracy: { readonly full: number; readonly early: number }
  /** Share of the rows that leave after each stage. */
  readonly exitShares: readonly number[]
}

/** The stage after which a row leaves. */
function exitOf(trace: ExitTrace, row: number, threshold: number): number {
  const last = trace.confidence.length - 1
  for (let k = 0; k < last; k++) if (trace.confidence[k]![row]! >= threshold) return k
  return last
}

/**
 * The lowest candidate threshold whose loss is at most ε with confidence 1 − δ: Learn-then-Test with fixed sequence testing.
 *
 * H(λ): P(right at full depth, wrong at the exit) > ε. Candidates are tested from the most careful down while the exact binomial
 * p-value P(Bin(rows, ε) ≤ lost(λ)) ≤ δ; the first that fails ends it, so one δ covers all tests. The accuracy lost is at most the
 * loss bounded here, since rows that only the early exit gets right count for nothing.
 * Angelopoulos et al. 2021, "Learn then Test", §3 and proposition 1.
 *
 * @throws ERR_BIO_CALIBRATION when there are too few rows for any promise, or no candidate keeps it
 */
export function chooseThreshold(
  trace: ExitTrace,
  { candidates, epsilon, delta }: { candidates: readonly number[]; epsilon: number; delta: number },
): ChosenThreshold {
  const rows = trace.right[0]!.length
  const promise = `at most ${epsilon * 100} % lost with ${(1 - delta) * 100} % confidence`
  const needed = rowsNeeded(epsilon, delta)
  if (rows < needed)
    throw new BioError('ERR_BIO_CALIBRATION', {
      operation: 'calibrate',
      expected: `${needed} held-out rows or more to promise ${promise}`,
      received: `${rows}`,
    })
  const last = trace.confidence.length - 1
  let chosen: ChosenThreshold | undefined
  let refused = ''
  for (const threshold of candidates) {
    const counts = Array.from(trace.confidence, () => 0)
    let [lost, fullRight, earlyRight] = [0, 0, 0]
    for (let row = 0; row < rows; row++) {
      const exit = exitOf(trace, row, threshold)
      counts[exit]! += 1
      const [full, early] = [trace.right[last]![row]!, trace.right[exit]![row]!]
      fullRight += full
      earlyRight += early
      if (full > early) lost += 1
    }
    if (binomialAtMost(lost, rows, epsilon) > delta) {
      refused = `${lost} of ${rows} lost at ${threshold}`
      break
    }
    const exitShares = counts.map((count) => count / rows)
    const accuracy = { full: fullRight / rows, early: earlyRight / rows }
    chosen = { threshold, lost, lostAtMost: binomialUpperBound(lost, rows, delta), accuracy, exitShares }
  }
  if (chosen !== undefined) return chosen
  throw new BioError('ERR_BIO_CALIBRATION', {
    operation: 'calibrate',
    expected: `the most careful threshold to keep the promise: ${promise}`,
    received: refused === '' ? 'no candidate' : refused,
  })
}
