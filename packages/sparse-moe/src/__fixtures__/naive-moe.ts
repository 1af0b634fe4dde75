/** A mixture of experts in f64, one token and one expert at a time: the oracle of the tests. */
export interface NaiveMoE {
  readonly dim: number
  readonly hidden: number
  readonly experts: number
  readonly topK: number
  readonly alpha: number
  readonly zLoss: number
  readonly router: Float64Array // [experts, dim]
  readonly gateUp: Float64Array // [experts, 2·hidden, dim]
  readonly down: Float64Array // [experts, dim, hidden]
}

/** Rows [from, from + rows) of a matrix times a vector. */
function multiply(matrix: Float64Array, from: number, rows: number, vector: ArrayLike<number>): number[] {
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0
    for (let i = 0; i < vector.length; i++) sum += matrix[(from + row) * vector.length + i]! * vector[i]!
    return sum
  })
}

/** y [tokens, dim], and switch loss + z-loss. */
export function naiveForward(moe: NaiveMoE, x: Float64Array): { y: Float64Array; loss: number; counts: number[] } {
  const { dim, hidden, experts, topK } = moe
  const tokens = x.length / dim
  const y = new Float64Array(x.length)
  const counts = Array.from({ length: experts }, () => 0)
  const mean = counts.slice()
  let squares = 0
  for (let token = 0; token < tokens; token++) {
    const row = x.subarray(token * dim, (token + 1) * dim)
    const logits = multiply(moe.router, 0, experts, row)
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0)
    const p = logits.map((logit) => Math.exp(logit) / sum)
    squares += Math.log(sum) ** 2
    p.forEach((probability, expert) => (mean[expert]! += probability / tokens))
    const chosen = p
      .map((_, expert) => expert)
      .toSorted((a, b) => p[b]! - p[a]!)
      .slice(0, topK)
    const total = topK === 1 ? 1 : chosen.reduce((z, expert) => z + p[expert]!, 0)
    for (const expert of chosen) {
      counts[expert]!++
      const gateUp = multiply(moe.gateUp, expert * 2 * hidden, 2 * hidden, row)
      const inner = Array.from(
        { length: hidden },
        (_, i) => (gateUp[i]! / (1 + Math.exp(-gateUp[i]!))) * gateUp[hidden + i]!,
      )
      const output = multiply(moe.down, expert * dim, dim, inner)
      for (let i = 0; i < dim; i++) y[token * dim + i]! += (p[expert]! / total) * output[i]!
    }
  }
  const even = counts.reduce((sum, count, expert) => sum + (count / (tokens * topK)) * mean[expert]!, 0)
  return { y, loss: moe.alpha * experts * even + (moe.zLoss * squares) / tokens, counts }
}
