/** P(X ≤ k) for X of n draws with probability p each, exact up to rounding: terms are added in logarithms. */
export function binomialAtMost(k: number, n: number, p: number): number {
  if (k >= n || p <= 0) return 1
  if (p >= 1) return 0
  const logOdds = Math.log(p) - Math.log1p(-p)
  let term = n * Math.log1p(-p) // ln P(X = 0)
  let [highest, sum] = [term, 1]
  for (let i = 0; i < k; i++) {
    term += Math.log((n - i) / (i + 1)) + logOdds
    if (term <= highest) sum += Math.exp(term - highest)
    else [highest, sum] = [term, sum * Math.exp(highest - term) + 1]
  }
  return Math.min(1, sum * Math.exp(highest))
}

/** The largest p that k of n do not refute at level δ: the upper bound of Clopper and Pearson 1934. */
export function binomialUpperBound(k: number, n: number, delta: number): number {
  if (k >= n) return 1
  let [low, high] = [k / n, 1]
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2
    if (binomialAtMost(k, n, middle) > delta) low = middle
    else high = middle
  }
  return high
}

/** Rows that a promise of ε at level δ needs if none is lost: (1 − ε)ⁿ ≤ δ. */
export function rowsNeeded(epsilon: number, delta: number): number {
  return Math.ceil(Math.log(delta) / Math.log1p(-epsilon))
}
