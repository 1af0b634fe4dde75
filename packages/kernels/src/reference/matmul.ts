import type { GroupedMatmulOptions, GroupedShape, MatmulOptions } from '../interface.js'

/** out[i, j] (+)= Σ_k a[i, k]·b[k, j], summed over k in order, in f64, rounded once. */
export function matmul(out: Float32Array, a: Float32Array, b: Float32Array, options: MatmulOptions): void {
  const { m, n, k, transposeA = false, transposeB = false, accumulate = false } = options
  const [rowA, columnA] = transposeA ? [1, m] : [k, 1]
  const [rowB, columnB] = transposeB ? [1, k] : [n, 1]
  const row = new Float64Array(n)
  for (let i = 0; i < m; i++) {
    row.fill(0)
    for (let p = 0; p < k; p++) {
      const value = a[i * rowA + p * columnA]!
      const from = p * rowB
      for (let j = 0; j < n; j++) row[j]! += value * b[from + j * columnB]!
    }
    for (let j = 0; j < n; j++) out[i * n + j] = accumulate ? out[i * n + j]! + row[j]! : row[j]!
  }
}

/** One product per expert over its rows. */
export function groupedMatmul(
  out: Float32Array,
  x: Float32Array,
  weights: Float32Array,
  options: GroupedMatmulOptions,
): void {
  const { offsets, n, k, layout } = options
  for (let expert = 0; expert + 1 < offsets.length; expert++) {
    const [from, to] = [offsets[expert]!, offsets[expert + 1]!]
    if (from === to) continue
    matmul(
      out.subarray(from * n, to * n),
      x.subarray(from * k, to * k),
      weights.subarray(expert * n * k, (expert + 1) * n * k),
      {
        m: to - from,
        n,
        k,
        transposeB: layout === 'nk',
      },
    )
  }
}

/** out[e] [n, k] = dyᵀ·x over the rows of expert e; 0 without rows. */
export function groupedWeightGradient(
  out: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  { offsets, n, k }: GroupedShape,
): void {
  for (let expert = 0; expert + 1 < offsets.length; expert++) {
    const [from, to] = [offsets[expert]!, offsets[expert + 1]!]
    matmul(
      out.subarray(expert * n * k, (expert + 1) * n * k),
      dy.subarray(from * n, to * n),
      x.subarray(from * k, to * k),
      {
        m: n,
        n: k,
        k: to - from,
        transposeA: true,
      },
    )
  }
}

/** out[i, j] += Σ_r dy[r, i]²·x[r, j]². */
export function squareAccumulate(
  out: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  { rows, n, k }: { rows: number; n: number; k: number },
): void {
  const sums = new Float64Array(k)
  for (let i = 0; i < n; i++) {
    sums.fill(0)
    for (let r = 0; r < rows; r++) {
      const square = dy[r * n + i]! ** 2
      for (let j = 0; j < k; j++) sums[j]! += square * x[r * k + j]! ** 2
    }
    for (let j = 0; j < k; j++) out[i * k + j]! += sums[j]!
  }
}
