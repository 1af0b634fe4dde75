import { checkNumber, invalid } from '../check.js'
import type { Boundary, Reading } from '../reading/reading.js'
import { joulesPerBit } from './joules-per-bit.js'

/**
 * What the two losses are of. `prequential`: the learner's loss on each item just before it learns it, against a frozen reference on
 * the same items. `held-out`: items that are never learnt, before and after.
 */
export type LearningProtocol = 'prequential' | 'held-out'

/** Losses are sums over items, in nats (natural logarithms), as cross-entropy gives them. */
export interface LearningCostOptions {
  readonly protocol: LearningProtocol
  /** Of the frozen reference, or of the model before it learnt. */
  readonly before: number
  /** Of the learner as it went, or of the model after it learnt. */
  readonly after: number
  /** What learning lost on earlier tasks, by the same protocol; negative where it helped them. Default 0. */
  readonly forgotten?: number
  /** Used by the learning. */
  readonly energy: Reading
}

/** The price of new information, with all that it depends on. */
export interface BitCost {
  /** Learnt, net of what was forgotten; 0 and below is no learning. */
  readonly bits: number
  readonly joulesPerBit: Reading | 'no learning'
  readonly boundary: Boundary
  readonly conventions: readonly string[]
}

const meaning: Record<LearningProtocol, string> = {
  prequential: 'prequential code length: each item scored before it is learnt, against a frozen reference',
  'held-out': 'held-out items, scored before and after',
}

/**
 * Learning cost L = E / ΔI in joules per bit learnt, ΔI = (before − after − forgotten) / ln 2. 'no learning' where ΔI ≤ 0 (to 10⁻⁹):
 * never a negative or infinite price.
 *
 * The prequential code length (Dawid 1984) needs no test set and cannot be had by memorising; held-out bits depend on how many items are
 * held out, so compare them on the same ones only.
 *
 * @throws `ERR_BIO_VALUE` for losses that are infinite or NaN, or another protocol.
 *
 * @example
 * ```ts
 * import { createReading, learningCost } from '@bio/energy'
 *
 * const energy = createReading({ joules: 60, method: 'measured', source: 'rapl', seconds: 10 })
 * const { bits, joulesPerBit } = learningCost({ protocol: 'held-out', before: 50 * Math.LN2, after: 20 * Math.LN2, energy })
 * console.log(bits, joulesPerBit === 'no learning' || joulesPerBit.joules) // => 30 2
 * console.log(learningCost({ protocol: 'held-out', before: 1, after: 2, energy }).joulesPerBit) // => no learning
 * ```
 */
export function learningCost(options: LearningCostOptions): BitCost {
  const { protocol, before, after, forgotten = 0, energy } = options
  if (!Object.hasOwn(meaning, protocol)) {
    throw invalid('learningCost', "protocol 'prequential' or 'held-out'", protocol)
  }
  for (const [name, value] of Object.entries({ before, after, forgotten })) {
    checkNumber('learningCost', name, value)
  }
  const bits = (before - after - forgotten) / Math.LN2
  checkNumber('learningCost', 'the bits learnt', bits)
  return {
    bits,
    joulesPerBit: joulesPerBit(energy, bits) ?? 'no learning',
    boundary: energy.boundary,
    conventions: [
      meaning[protocol],
      'net of what was lost on earlier tasks, as far as that was given',
      `joules: gross, boundary ${energy.boundary}, ${energy.method}`,
    ],
  }
}
