import type { NormOptions, RowShape } from '../interface.js'

/** out = x·inverse·weight, inverse = 1/√(mean(x²) + ε). */
export function rmsNorm(
  out: Float32Array,
  inverse: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  options: NormOptions,
): void {
  const { rows, columns, epsilon } = options
  for (let r = 0; r < rows; r++) {
    let sum = 0
    for (let j = 0; j < columns; j++) sum += x[r * columns + j]! ** 2
    const scale = 1 / Math.sqrt(sum / columns + epsilon)
    inverse[r] = scale
    for (let j = 0; j < columns; j++) out[r * columns + j] = x[r * columns + j]! * scale * weight[j]!
  }
}

/** dx = inverse·(w⊙dy − x·inverse²·⟨w⊙dy, x⟩/columns); dWeight += Σ_r dy⊙x·inverse. */
export function rmsNormBackward(
  dx: Float32Array,
  dWeight: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  inverse: Float32Array,
  { rows, columns }: RowShape,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const scale = inverse[r]!
    let dot = 0
    for (let j = 0; j < columns; j++) dot += dy[at + j]! * weight[j]! * x[at + j]!
    const pull = (dot * scale * scale) / columns
    for (let j = 0; j < columns; j++) {
      const gradient = dy[at + j]!
      dWeight[j]! += gradient * x[at + j]! * scale
      dx[at + j] = scale * (gradient * weight[j]! - x[at + j]! * pull)
    }
  }
}

/** out = (x − mean)·inverse·weight + bias, inverse = 1/√(variance + ε). */
export function layerNorm(
  out: Float32Array,
  mean: Float32Array,
  inverse: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  { rows, columns, epsilon }: NormOptions,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    let sum = 0
    for (let j = 0; j < columns; j++) sum += x[at + j]!
    const centre = sum / columns
    let squares = 0
    for (let j = 0; j < columns; j++) squares += (x[at + j]! - centre) ** 2
    const scale = 1 / Math.sqrt(squares / columns + epsilon)
    mean[r] = centre
    inverse[r] = scale
    for (let j = 0; j < columns; j++) out[at + j] = (x[at + j]! - centre) * scale * weight[j]! + bias[j]!
  }
}

/** With x̂ = (x − mean)·inverse and g = dy⊙w: dx = inverse·(g − mean(g) − x̂·mean(g⊙x̂)). */
export function layerNormBackward(
  dx: Float32Array,
  dWeight: Float32Array,
  dBias: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  weight: Float32Array,
  mean: Float32Array,
  inverse: Float32Array,
  { rows, columns }: RowShape,
): void {
  for (let r = 0; r < rows; r++) {
    const at = r * columns
    const [centre, scale] = [mean[r]!, inverse[r]!]
    let sum = 0
    let dot = 0
    for (let j = 0; j < columns; j++) {
      const gradient = dy[at + j]! * weight[j]!
      sum += gradient
      dot += gradient * (x[at + j]! - centre) * scale
    }
    for (let j = 0; j < columns; j++) {
      const gradient = dy[at + j]!
      const normalised = (x[at + j]! - centre) * scale
      dWeight[j]! += gradient * normalised
      dBias[j]! += gradient
      dx[at + j] = scale * (gradient * weight[j]! - sum / columns - (normalised * dot) / columns)
    }
  }
}
