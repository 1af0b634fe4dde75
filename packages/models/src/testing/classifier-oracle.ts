import type { Tensor } from '@bio/tensor'
import type { Classifier } from '../classifier/classifier.js'

type Rows = number[][]

const matrix = ({ data, shape }: Tensor): Rows =>
  Array.from({ length: shape[0]! }, (_, row) =>
    Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!) as Float32Array),
  )
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0)
const add = (a: Rows, b: Rows): Rows => a.map((row, r) => row.map((value, i) => value + b[r]![i]!))

/** x·Wᵀ + b. */
function linear(x: Rows, { weight, bias }: { weight: Tensor; bias?: Tensor }): Rows {
  const columns = matrix(weight)
  return x.map((row) => columns.map((column, i) => dot(row, column) + Number(bias?.data[i] ?? 0)))
}

/** x / √(mean(x²) + ε) · weight. */
function rmsNorm(x: Rows, { weight, eps }: { weight: Tensor; eps: number }): Rows {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(dot(row, row) / row.length + eps)
    return row.map((value, i) => value * scale * Number(weight.data[i]))
  })
}

/** Pairs (i, i + headDim/2) turned by position·θ^(−2i/headDim). */
function rotated(head: readonly number[], position: number, theta: number): number[] {
  const half = head.length / 2
  return head.map((value, j) => {
    const angle = position * theta ** ((-2 * (j % half)) / head.length)
    return value * Math.cos(angle) + (j < half ? -head[j + half]! : head[j - half]!) * Math.sin(angle)
  })
}

/** softmax(q·kᵀ/√headDim)·v per head, all tokens seeing all. */
function attend(
  q: Rows,
  k: Rows,
  v: Rows,
  { heads, kvHeads, headDim, ropeTheta }: Classifier['config'],
): Rows {
  const part = (rows: Rows, head: number): Rows =>
    rows.map((row) => row.slice(head * headDim, (head + 1) * headDim))
  const turned = (rows: Rows): Rows => rows.map((row, position) => rotated(row, position, ropeTheta))
  const perHead = Array.from({ length: heads }, (_, head) => {
    const group = Math.floor((head * kvHeads) / heads)
    const [keys, values] = [turned(part(k, group)), part(v, group)]
    return turned(part(q, head)).map((query) => {
      const weights = keys.map((key) => Math.exp(dot(query, key) / Math.sqrt(headDim)))
      const total = weights.reduce((sum, weight) => sum + weight)
      return Array.from({ length: headDim }, (_value, i) =>
        values.reduce((sum, value, s) => sum + (weights[s]! / total) * value[i]!, 0),
      )
    })
  })
  return q.map((_, token) => perHead.flatMap((rows) => rows[token]!))
}

/** What each head says of one sequence [length, features], in f64 and by the formulas alone. */
export function classifierOracle(model: Classifier, sequence: Rows): number[][] {
  const { config, embedding, layers, heads } = model
  let x = linear(sequence, embedding)
  const logits: number[][] = []
  layers.forEach(({ attentionNorm, attention, feedForwardNorm, feedForward }, index) => {
    const normed = rmsNorm(x, attentionNorm)
    const [q, k, v] = [attention.query, attention.key, attention.value].map((layer) => linear(normed, layer))
    x = add(x, linear(attend(q!, k!, v!, config), attention.output))
    const gated = linear(rmsNorm(x, feedForwardNorm), feedForward.gateUp).map((row) => {
      const up = row.slice(config.hidden)
      return up.map((value, i) => (row[i]! / (1 + Math.exp(-row[i]!))) * value)
    })
    x = add(x, linear(gated, feedForward.down))
    const exit = config.exits.indexOf(index + 1)
    if (exit < 0) return
    const pooled = x[0]!.map((_, i) => x.reduce((sum, row) => sum + row[i]!, 0) / x.length)
    logits.push(linear(rmsNorm([pooled], heads[exit]!.norm), heads[exit]!.output)[0]!)
  })
  return logits
}
