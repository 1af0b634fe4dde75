import { checkCount, invalid } from '../check.js'
import { chooseThreshold, type ChosenThreshold, type ExitTrace } from './choose-threshold.js'
import { EarlyExit } from './early-exit.js'
import type { ExitPolicy } from './exit-policy.js'
import { RowReader } from './row-reader.js'
import { answer, type StagedModel } from './staged-model.js'

/** Held-out rows: none that the model or its heads were trained on. */
export interface CalibrationBatch<State> {
  readonly state: State
  readonly rows: number
  /** The true class of each row. Without: what full depth says, so that the promise is of agreement. */
  readonly labels?: ArrayLike<number>
}

export interface CalibrateOptions<State> {
  readonly model: StagedModel<State>
  readonly policy: ExitPolicy
  /** The held-out data; asked for twice, once to choose and once to time. */
  readonly batches: () => Iterable<CalibrationBatch<State>> | AsyncIterable<CalibrationBatch<State>>
  /** Share of all rows that may be right at full depth and wrong at their exit: 0.01 keeps accuracy within one point. */
  readonly epsilon: number
  /** How sure the promise must be. Default 0.95. */
  readonly confidence?: number
  readonly signal?: AbortSignal
}

export interface Calibration extends ChosenThreshold {
  readonly rows: number
  /** Mean stages that a row runs. */
  readonly meanStages: number
  /** Wall-clock of the same batches at full depth (no head but the last) and with early exit, and their ratio. */
  readonly fullMs: number
  readonly earlyMs: number
  readonly speedup: number
}

/**
 * Chooses the threshold at which a staged model loses at most `epsilon` of its rows, with the confidence asked for, and measures the speed
 * that it buys.
 *
 * The promise is of rows drawn like the held-out ones: P(right at full depth, wrong at the exit) ≤ ε, with probability ≥ `confidence` over
 * the draw of the held-out rows. Learn-then-Test (Angelopoulos et al. 2021) with exact binomial p-values.
 *
 * @throws ERR_BIO_CALIBRATION when the data cannot support the promise; ERR_BIO_CONFIG for ε or confidence outside (0, 1)
 */
export async function calibrate<State>(options: CalibrateOptions<State>): Promise<Calibration> {
  const { model, policy, epsilon, confidence = 0.95 } = options
  checkCount('calibrate', 'model.stages', model.stages)
  for (const [name, share] of Object.entries({ epsilon, confidence }))
    if (!(share > 0 && share < 1)) throw invalid('calibrate', `${name} to lie between 0 and 1`, share)
  const trace = await follow(options)
  const chosen = chooseThreshold(trace, { candidates: policy.candidates, epsilon, delta: 1 - confidence })
  const { fullMs, earlyMs } = await time(options, chosen.threshold)
  return {
    ...chosen,
    rows: trace.right[0]!.length,
    meanStages: chosen.exitShares.reduce((sum, share, k) => sum + share * (k + 1), 0),
    fullMs,
    earlyMs,
    speedup: fullMs / earlyMs,
  }
}

/** Takes every held-out row to full depth and notes what each head says of it. */
async function follow<State>({
  model,
  policy,
  batches,
  signal,
}: CalibrateOptions<State>): Promise<ExitTrace> {
  const confidence: number[][] = Array.from({ length: model.stages }, () => [])
  const right: number[][] = Array.from({ length: model.stages }, () => [])
  for await (const { state: first, rows, labels } of batches()) {
    checkCount('calibrate', 'the rows of a batch', rows)
    if (labels !== undefined && labels.length !== rows)
      throw invalid('calibrate', `a label for each of ${rows} rows`, labels.length)
    const reader = new RowReader(policy, rows)
    const predictions: Int32Array[] = []
    let state = first
    let classes: number | undefined
    for (let k = 0; k < model.stages; k++) {
      signal?.throwIfAborted()
      state = await model.stage(k, state)
      const said = await answer(model, k, { state, rows, classes })
      classes = said.classes
      const predicted = new Int32Array(rows)
      for (let row = 0; row < rows; row++) {
        const read = reader.read(row, said.logits.subarray(row * classes, (row + 1) * classes))
        predicted[row] = read.prediction
        confidence[k]!.push(read.confidence)
      }
      predictions.push(predicted)
    }
    const truth = labels ?? predictions.at(-1)!
    predictions.forEach((predicted, k) => {
      for (let row = 0; row < rows; row++) right[k]!.push(Number(predicted[row] === truth[row]))
    })
  }
  return { confidence, right }
}

/** Milliseconds of all batches at full depth and with the threshold. */
async function time<State>(
  { model, policy, batches, signal }: CalibrateOptions<State>,
  threshold: number,
): Promise<{ fullMs: number; earlyMs: number }> {
  const full = { exit: new EarlyExit({ model, policy, threshold: Infinity }), ms: 0 }
  const early = { exit: new EarlyExit({ model, policy, threshold }), ms: 0 }
  let order = [full, early]
  for await (const { state, rows } of batches()) {
    for (const way of order) {
      const start = performance.now()
      await way.exit.run(state, { rows, ...(signal && { signal }) })
      way.ms += performance.now() - start
    }
    order = order.toReversed() // in turns first: whoever comes second finds the caches warm
  }
  return { fullMs: full.ms, earlyMs: early.ms }
}
