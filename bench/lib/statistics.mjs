// What the benches say of a set of numbers. None of them changes its argument.

/** The q-quantile, 0 ≤ q ≤ 1, by linear interpolation between the two nearest values; NaN of nothing. */
export function quantile(values, q) {
  const sorted = Float64Array.from(values).toSorted()
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted.length === 0 ? NaN : sorted[below] + (position - below) * (sorted[above] - sorted[below])
}

export function median(values) {
  return quantile(values, 0.5)
}

export function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
