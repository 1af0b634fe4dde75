import { softmaxRow, type ExitPolicy } from './exit-policy.js'

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
