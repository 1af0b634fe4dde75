/** How far the packed weights ŵ are from the weights w. */
export interface WeightError {
  /** max |w − ŵ|. */
  readonly maxError: number
  /** √mean((w − ŵ)²). */
  readonly rootMeanSquareError: number
  /** ‖w − ŵ‖₂ / ‖w‖₂: 0.01 means that 1 % of the norm is lost; 0 for weights of zeros. */
  readonly relativeError: number
}

/** Compares in f64. */
export function measureError(weights: Float32Array, packed: Float32Array): WeightError {
  let maxError = 0
  let squares = 0
  let norm = 0
  for (let i = 0; i < weights.length; i++) {
    const error = Math.abs(weights[i]! - packed[i]!)
    if (error > maxError) maxError = error
    squares += error * error
    norm += weights[i]! * weights[i]!
  }
  return {
    maxError,
    rootMeanSquareError: Math.sqrt(squares / weights.length),
    relativeError: norm === 0 ? 0 : Math.sqrt(squares / norm),
  }
}
