import { BioError } from '@bio/errors'

type Awaitable<T> = T | Promise<T>

/**
 * A model cut into stages, each with a head that could answer: what `EarlyExit` runs. The state is the model's own (activations of
 * some rows, with whatever masks go with them).
 */
export interface StagedModel<State> {
  readonly stages: number
  /** Runs stage `k` (0…stages − 1) on the rows that are left. */
  stage(k: number, state: State): Awaitable<State>
  /** What the head after stage `k` answers: logits, row-major [rows, classes]. Padding must stay out of its pooling. */
  head(k: number, state: State): Awaitable<Float32Array>
  /** The state of these rows alone, in this order. */
  gather(state: State, rows: Int32Array): Awaitable<State>
}

/** The logits of one head, checked against the rows that went in. */
export async function answer<State>(
  model: StagedModel<State>,
  k: number,
  { state, rows, classes }: { state: State; rows: number; classes: number | undefined },
): Promise<{ logits: Float32Array; classes: number }> {
  const logits = await model.head(k, state)
  const found = logits.length / rows
  if (Number.isInteger(found) && found > 0 && (classes ?? found) === found) return { logits, classes: found }
  throw new BioError('ERR_BIO_OUTPUT_COUNT', {
    operation: `EarlyExit, head ${k}`,
    expected: `logits of ${rows} rows${classes === undefined ? '' : ` by ${classes} classes`}`,
    received: `${logits.length} values`,
  })
}
