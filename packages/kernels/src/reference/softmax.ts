import type { CrossEntropyOptions, RowShape } from '../interface.js'

/** The target that counts for nothing, unless another is named. */
export const IGNORE_INDEX = -100

/** out = exp(x − max) / Σ. */
export function softmax(out: Float32Array, x: Float32Array, { rows, columns }: RowShape): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const high = rowMax(x, at, columns)
    let sum = 0
    for (let j = 0; j < columns; j++) {
      const value = Math.exp(x[at + j]! - high)
      out[at + j] = value
      sum += value
    }
    for (let j = 0; j < columns; j++) out[at + j]! /= sum
  }
}

/** dx = y⊙(dy − ⟨dy, y⟩). */
export function softmaxBackward(
  dx: Float32Array,
  dy: Float32Array,
  y: Float32Array,
  { rows, columns }: RowShape,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    let dot = 0
    for (let j = 0; j < columns; j++) dot += dy[at + j]! * y[at + j]!
    for (let j = 0; j < columns; j++) dx[at + j] = y[at + j]! * (dy[at + j]! - dot)
  }
}

/** loss = logsumexp(logits) − logits[target]. */
export function crossEntropy(
  loss: Float32Array,
  logSumExp: Float32Array,
  logits: Float32Array,
  targets: Int32Array,
  { rows, columns, ignoreIndex = IGNORE_INDEX }: CrossEntropyOptions,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const high = rowMax(logits, at, columns)
    let sum = 0
    for (let j = 0; j < columns; j++) sum += Math.exp(logits[at + j]! - high)
    const total = high + Math.log(sum)
    logSumExp[r] = total
    loss[r] = targets[r] === ignoreIndex ? 0 : total - logits[at + targets[r]!]!
  }
}

/** dLogits = dLoss·(softmax(logits) − onehot(target)). */
export function crossEntropyBackward(
  dLogits: Float32Array,
  dLoss: Float32Array,
  logits: Float32Array,
  logSumExp: Float32Array,
  targets: Int32Array,
  { rows, columns, ignoreIndex = IGNORE_INDEX }: CrossEntropyOptions,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const scale = targets[r] === ignoreIndex ? 0 : dLoss[r]!
    if (scale === 0) {
      dLogits.fill(0, at, at + columns)
      continue
    }
    for (let j = 0; j < columns; j++) dLogits[at + j] = scale * Math.exp(logits[at + j]! - logSumExp[r]!)
    dLogits[at + targets[r]!]! -= scale
  }
}

function rowMax(x: Float32Array, at: number, columns: number): number {
  let high = -Infinity
  for (let j = 0; j < columns; j++) high = Math.max(high, x[at + j]!)
  return high
}
