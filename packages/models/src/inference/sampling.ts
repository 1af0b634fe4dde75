import { BioError } from '@bio/errors'
import { Rng } from '@bio/tensor'

/** How the next token is drawn. */
export interface Sampling {
  /** 0 takes the likeliest token; 1 draws from the model's own distribution. Default 1. */
  readonly temperature?: number
  /** Keep the likeliest tokens whose probabilities reach this sum (Holtzman et al. 2020). Default 1: all. */
  readonly topP?: number
  /** Keep that many of the likeliest tokens. Default: all. */
  readonly topK?: number
  /** The same seed gives the same tokens, whatever the batch around the request. Default 0. */
  readonly seed?: number
}

export function checkSampling({ temperature = 1, topP = 1, topK = Infinity, seed = 0 }: Sampling): void {
  const refuse = (expected: string, received: number): never => {
    throw new BioError('ERR_BIO_VALUE', { operation: 'sample', expected, received: String(received) })
  }
  if (!(temperature >= 0 && temperature < Infinity)) refuse('temperature of at least 0', temperature)
  if (!(topP > 0 && topP <= 1)) refuse('topP above 0 and up to 1', topP)
  if (!(topK === Infinity || (Number.isInteger(topK) && topK >= 1)))
    refuse('topK, an integer of at least 1', topK)
  if (!Number.isSafeInteger(seed)) refuse('an integer seed', seed)
}

/**
 * Draws the token that follows, from softmax(logits / temperature) cut to `topK` and `topP`. `drawn` counts the tokens of this
 * generation so far: draw number n of a seed is the same wherever it happens, so a preempted request repeats itself exactly.
 * Throws ERR_BIO_VALUE for NaN among the logits.
 */
export function sample(logits: Float32Array, sampling: Sampling, drawn: number): number {
  const { ids, weights, mass } = kept(logits, sampling)
  if (ids.length === 1) return ids[0]!
  let rest = new Rng(sampling.seed ?? 0, drawn).next() * mass
  for (let i = 0; i < weights.length; i++) {
    rest -= weights[i]!
    if (rest < 0) return ids[i]!
  }
  return ids[weights.length - 1]!
}

/**
 * The probabilities [vocabSize] that `sample` draws from: softmax(logits / temperature) cut to `topK` and `topP`; all of it on the
 * likeliest at temperature 0. Of `{}` they are the model's own. Throws ERR_BIO_VALUE for NaN among the logits.
 *
 * @example
 * ```ts
 * import { probabilities } from '@bio/models'
 *
 * const logits = Float32Array.of(0, Math.log(2), Math.log(5))
 * console.log(Array.from(probabilities(logits, { topK: 2 }), (p) => p.toFixed(3)).join(' ')) // => 0.000 0.286 0.714
 * ```
 */
export function probabilities(logits: Float32Array, sampling: Sampling): Float64Array {
  const { ids, weights, mass } = kept(logits, sampling)
  const result = new Float64Array(logits.length)
  for (const [index, weight] of weights.entries()) result[ids[index]!] = weight / mass
  return result
}

/** Those that may be drawn, with their weights and the sum of these. */
function kept(
  logits: Float32Array,
  { temperature = 1, topP = 1, topK = Infinity }: Sampling,
): { ids: readonly number[]; weights: readonly number[]; mass: number } {
  const best = likeliest(logits)
  if (temperature === 0) return { ids: [best], weights: [1], mass: 1 }
  const ids = candidates(logits, topK, topP)
  const weights = ids.map((id) => Math.exp((logits[id]! - logits[best]!) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  if (topP === 1) return { ids, weights, mass: total }
  let mass = 0
  const count = weights.findIndex((weight) => (mass += weight) >= topP * total) + 1
  return { ids, weights: weights.slice(0, count), mass }
}

/** All ids, likeliest first where a cut needs the order (ties: lower id first). */
function candidates(logits: Float32Array, topK: number, topP: number): number[] {
  const ids = Array.from(logits, (_, id) => id)
  if (topK >= ids.length && topP === 1) return ids
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b)
  return ids.slice(0, topK)
}

function likeliest(logits: Float32Array): number {
  let best = 0
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id])) {
      throw new BioError('ERR_BIO_VALUE', {
        operation: 'sample',
        expected: 'logits that are numbers',
        received: `NaN for token ${id}`,
        hint: 'The weights or the training have diverged.',
      })
    }
    if (logits[id]! > logits[best]!) best = id
  }
  return best
}
