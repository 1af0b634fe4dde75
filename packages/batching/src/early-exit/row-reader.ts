import type { ExitPolicy } from './exit-policy.js'

/** Turns the logits of one head after the other into predictions and confidences, row by row. */
export class RowReader {
  readonly #policy: ExitPolicy
  readonly #previous: Int32Array
  readonly #agreement: Int32Array
  #probabilities: Float32Array = new Float32Array(0)

  constructor(policy: ExitPolicy, rows: number) {
    this.#policy = policy
    this.#previous = new Int32Array(rows).fill(-1)
    this.#agreement = new Int32Array(rows)
  }

  /** Confidence is NaN where no logit is a number. */
  read(row: number, logits: Float32Array): { prediction: number; confidence: number } {
    if (this.#probabilities.length !== logits.length) this.#probabilities = new Float32Array(logits.length)
    const probabilities = this.#probabilities
    const prediction = softmaxRow(probabilities, logits)
    const agreement = prediction === this.#previous[row] ? this.#agreement[row]! + 1 : 1
    this.#previous[row] = prediction
    this.#agreement[row] = agreement
    const confidence = this.#policy.confidence({ probabilities, prediction, agreement })
    return { prediction, confidence: prediction < 0 ? Number.NaN : confidence }
  }
}

/** softmax of one row into `out`, and its likeliest class, the lowest of equals; −1 where no logit is a number. */
function softmaxRow(out: Float32Array, logits: Float32Array): number {
  let prediction = -1
  for (let i = 0; i < logits.length; i++)
    if (prediction < 0 ? !Number.isNaN(logits[i]) : logits[i]! > logits[prediction]!) prediction = i
  const highest = logits[prediction] ?? Number.NaN
  let total = 0
  for (let i = 0; i < logits.length; i++) total += out[i] = Math.exp(logits[i]! - highest)
  for (let i = 0; i < logits.length; i++) out[i]! /= total
  return prediction
}
