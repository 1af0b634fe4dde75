/** The operations once more, written from their definitions, over f64: what gradients are differenced from. */
export type Values = Float64Array

const { exp, log, sqrt, tanh, PI } = Math
const make = (size: number, value: (i: number) => number): Values => Float64Array.from({ length: size }, (_, i) => value(i))
const sigmoid = (x: number): number => 1 / (1 + exp(-x))

/** erf by its series: Σ (−1)ⁿ x^(2n+1) / (n!(2n+1))·2/√π; enough for |x| < 4. */
function erf(x: number): number {
  let [term, sum] = [x, x]
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n
    sum += term / (2 * n + 1)
  }
  return (2 / sqrt(PI)) * sum
}

export const activations: Readonly<Record<'relu' | 'gelu' | 'geluTanh' | 'silu' | 'sigmoid' | 'tanh' | 'exp' | 'log' | 'sqrt' | 'neg', (x: number) => number>> = {
  relu: (x: number): number => (x > 0 ? x : 0),
  gelu: (x: number): number => (x * (1 + erf(x / sqrt(2)))) / 2,
  geluTanh: (x: number): number => (x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x ** 3)))) / 2,
  silu: (x: number): number => x * sigmoid(x),
  sigmoid,
  tanh,
  exp,
  log,
  sqrt,
  neg: (x: number): number => -x,
}

/** a ∘ b, the smaller one repeated. */
export function binary(f: (a: number, b: number) => number): (a: Values, b: Values) => Values {
  return (a, b) => make(Math.max(a.length, b.length), (i) => f(a[i % a.length]!, b[i % b.length]!))
}

export function map(f: (x: number) => number): (x: Values) => Values {
  return (x) => Float64Array.from(x, f)
}

/** x [m, k] · w, w [k, n] or stored [n, k]. */
export function matmul(x: Values, w: Values, { k, n, transposed = false }: { k: number; n: number; transposed?: boolean }): Values {
  return make((x.length / k) * n, (i) => {
    const [row, column] = [Math.floor(i / n), i % n]
    let sum = 0
    for (let p = 0; p < k; p++) sum += x[row * k + p]! * w[transposed ? column * k + p : p * n + column]!
    return sum
  })
}

/** Applies f to each row of `columns` values. */
export function perRow(x: Values, columns: number, f: (row: Values) => ArrayLike<number>): Values {
  const rows = Array.from({ length: x.length / columns }, (_, r) => Array.from(f(x.subarray(r * columns, (r + 1) * columns))))
  return Float64Array.from(rows.flat())
}

const sum = (row: ArrayLike<number>): number => Array.from(row).reduce((total, value) => total + value, 0)

export const logSoftmax = (row: Values): Values => {
  const total = log(sum(row.map(exp)))
  return row.map((value) => value - total)
}

export const softmax = (row: Values): Values => logSoftmax(row).map(exp)

export const rmsNorm = (row: Values, weight: Values, eps: number): Values => {
  const norm = sqrt(sum(row.map((value) => value * value)) / row.length + eps)
  return row.map((value, i) => (value / norm) * weight[i]!)
}

export const layerNorm = (row: Values, weight: Values, bias: Values, eps: number): Values => {
  const mean = sum(row) / row.length
  const deviation = sqrt(sum(row.map((value) => (value - mean) ** 2)) / row.length + eps)
  return row.map((value, i) => ((value - mean) / deviation) * weight[i]! + bias[i]!)
}

interface AttentionShape {
  readonly length: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly causal: boolean
}

/** softmax(q·kᵀ/√headDim)·v over [batch, length, heads, headDim]. */
export function attention(q: Values, k: Values, v: Values, { length, heads, kvHeads, headDim, causal }: AttentionShape): Values {
  const out = new Float64Array(q.length)
  for (let row = 0; row < q.length / headDim; row++) {
    const [token, head] = [Math.floor(row / heads), row % heads]
    const [batch, position] = [Math.floor(token / length), token % length]
    const from = (j: number): number => ((batch * length + j) * kvHeads + Math.floor((head * kvHeads) / heads)) * headDim
    const scores = make(causal ? position + 1 : length, (j) =>
      sum(make(headDim, (i) => q[row * headDim + i]! * k[from(j) + i]!)) / sqrt(headDim),
    )
    softmax(scores).forEach((weight, j) => {
      for (let i = 0; i < headDim; i++) out[row * headDim + i]! += weight * v[from(j) + i]!
    })
  }
  return out
}

/** Turns pairs (i, i + headDim/2) of x [tokens, heads, headDim] by position·θ^(−2i/headDim). */
export function rotary(x: Values, positions: ArrayLike<number>, { heads, headDim, theta }: { heads: number; headDim: number; theta: number }): Values {
  const half = headDim / 2
  return make(x.length, (i) => {
    const place = i % headDim
    const angle = positions[Math.floor(i / headDim / heads)]! * theta ** ((-2 * (place % half)) / headDim)
    const partner = place < half ? -x[i + half]! : x[i - half]!
    return x[i]! * Math.cos(angle) + partner * Math.sin(angle)
  })
}
