import { EarlyExit, maximumProbability } from '@bio/batching'
import type { Classifier } from '@bio/models'
import type { Tensor } from '@bio/tensor'

/** What a way says of a batch: a class and the stage that gave it, per row. */
export interface Answers {
  readonly predictions: Int32Array
  readonly exits: Int32Array
}

/** A way to run a classifier on a batch x [rows, patches, features]. */
export type Way = (x: Tensor) => Promise<Answers>

/** Every layer, and no head but the last: what a model without exits does. */
export function fullDepth(model: Classifier): Way {
  return async (x) => {
    const last = model.stages - 1
    let state = model.embed(x)
    for (let k = 0; k <= last; k++) state = model.stage(k, state)
    const { predictions } = read(model.head(last, state), x.shape[0]!)
    return { predictions, exits: predictions.map(() => last) }
  }
}

/** Each row leaves when it is sure, and those that stay become a smaller batch. */
export function perSample(model: Classifier, threshold: number): Way {
  const exit = new EarlyExit({ model, policy: maximumProbability, threshold })
  return (x) => exit.run(model.embed(x), { rows: x.shape[0]! })
}

/** The rule of the article: the whole batch leaves once its mean maximum probability is above the threshold. */
export function batchMean(model: Classifier, threshold: number): Way {
  return async (x) => {
    const rows = x.shape[0]!
    let state = model.embed(x)
    for (let k = 0; ; k++) {
      state = model.stage(k, state)
      const { predictions, meanProbability } = read(model.head(k, state), rows)
      if (k === model.stages - 1 || meanProbability > threshold)
        return { predictions, exits: predictions.map(() => k) }
    }
  }
}

/** The likeliest class of each row, and the mean of their probabilities. */
function read(logits: Float32Array, rows: number): { predictions: Int32Array; meanProbability: number } {
  const classes = logits.length / rows
  const predictions = new Int32Array(rows)
  let sum = 0
  for (let row = 0; row < rows; row++) {
    const own = logits.subarray(row * classes, (row + 1) * classes)
    const highest = Math.max(...own)
    predictions[row] = own.indexOf(highest)
    sum += 1 / own.reduce((total, logit) => total + Math.exp(logit - highest), 0)
  }
  return { predictions, meanProbability: sum / rows }
}
