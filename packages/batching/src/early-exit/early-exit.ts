import { checkCount, invalid } from '../check.js'
import type { ExitPolicy } from './exit-policy.js'
import { RowReader } from './row-reader.js'
import { answer, type StagedModel } from './staged-model.js'

export interface EarlyExitOptions<State> {
  readonly model: StagedModel<State>
  readonly policy: ExitPolicy
  /** A row leaves once `policy.confidence` is at least this; `calibrate` finds it. Infinity runs every row to full depth, no head but the last. */
  readonly threshold: number
}

/** One answer per row, in the order in which the rows came. */
export interface EarlyExitResult {
  /** Of the head by which each row left, [rows, classes]. */
  readonly logits: Float32Array
  readonly classes: number
  /** The likeliest class of each row, [rows]; −1 where no logit is a number. */
  readonly predictions: Int32Array
  /** The stage after which each row left, [rows]. */
  readonly exits: Int32Array
}

/**
 * Runs a staged model and lets each row leave as soon as it is sure; the rows that stay become a smaller batch.
 *
 * A row leaves after stage k when confidence(head k) ≥ threshold, or when k is the last. No row decides for another, so with a model
 * whose rows do not depend on each other the answer is the same in any batch.
 *
 * @throws ERR_BIO_CONFIG for a threshold of NaN, for no stages or rows; ERR_BIO_OUTPUT_COUNT for logits of other sizes
 *
 * @example
 * ```ts
 * import { EarlyExit, maximumProbability } from '@bio/batching'
 *
 * const model = {
 *   stages: 2,
 *   stage: (k: number, state: number[]) => state,
 *   head: (k: number, state: number[]) => Float32Array.from(state.flatMap((x) => [x * (k + 1), 0])),
 *   gather: (state: number[], rows: Int32Array) => Array.from(rows, (row) => state[row]!),
 * }
 * const exit = new EarlyExit({ model, policy: maximumProbability, threshold: 0.9 })
 * const { predictions, exits } = await exit.run([5, 1, -5], { rows: 3 })
 * console.log([...predictions], [...exits]) // => [ 0, 0, 1 ] [ 0, 1, 0 ]
 * ```
 */
export class EarlyExit<State> {
  readonly #options: EarlyExitOptions<State>

  constructor(options: EarlyExitOptions<State>) {
    checkCount('EarlyExit', 'model.stages', options.model.stages)
    if (Number.isNaN(options.threshold) || typeof options.threshold !== 'number')
      throw invalid('EarlyExit', 'threshold to be a number', options.threshold)
    this.#options = options
  }

  async run(
    state: State,
    { rows, signal }: { readonly rows: number; readonly signal?: AbortSignal },
  ): Promise<EarlyExitResult> {
    checkCount('EarlyExit.run', 'rows', rows)
    const { model, policy, threshold } = this.#options
    const last = model.stages - 1
    const [predictions, exits] = [new Int32Array(rows), new Int32Array(rows)]
    const reader = new RowReader(policy, rows)
    let logits: Float32Array | undefined
    let classes: number | undefined
    let left = Int32Array.from({ length: rows }, (_, row) => row)
    for (let k = 0; left.length > 0; k++) {
      signal?.throwIfAborted()
      state = await model.stage(k, state)
      if (k < last && threshold === Infinity) continue
      signal?.throwIfAborted()
      const said = await answer(model, k, { state, rows: left.length, classes })
      classes = said.classes
      logits ??= new Float32Array(rows * classes)
      const stay: number[] = []
      for (let i = 0; i < left.length; i++) {
        const row = left[i]!
        const ofRow = said.logits.subarray(i * classes, (i + 1) * classes)
        const { prediction, confidence } = reader.read(row, ofRow)
        if (k < last && !(confidence >= threshold)) {
          stay.push(i)
          continue
        }
        logits.set(ofRow, row * classes)
        predictions[row] = prediction
        exits[row] = k
      }
      if (stay.length > 0 && stay.length < left.length)
        state = await model.gather(state, Int32Array.from(stay))
      left = Int32Array.from(stay, (i) => left[i]!)
    }
    return { logits: logits!, classes: classes!, predictions, exits }
  }
}
