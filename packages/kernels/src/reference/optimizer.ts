import type { AdamWOptions, ProductShape, SgdOptions } from '../interface.js'
import { matmul } from './matmul.js'

/** p ← p·(1 − lr·λ); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²; p ← p − lr/(1 − β₁ᵗ)·m / (√v/√(1 − β₂ᵗ) + ε). */
export function adamW(
  parameter: Float32Array,
  gradient: Float32Array,
  firstMoment: Float32Array,
  secondMoment: Float32Array,
  options: AdamWOptions,
): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step } = options
  const stepSize = learningRate / (1 - beta1 ** step)
  const correction = Math.sqrt(1 - beta2 ** step)
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]!
    const m = firstMoment[i]! + (1 - beta1) * (g - firstMoment[i]!)
    const v = beta2 * secondMoment[i]! + (1 - beta2) * g * g
    firstMoment[i] = m
    secondMoment[i] = v
    parameter[i] =
      parameter[i]! * (1 - learningRate * weightDecay) -
      (stepSize * m) / (Math.sqrt(v) / correction + epsilon)
  }
}

/** g ← g + λp; v ← μv + g; p ← p − lr·v, or p − lr·(g + μv) with nesterov. */
export function sgd(
  parameter: Float32Array,
  gradient: Float32Array,
  velocity: Float32Array | undefined,
  { learningRate, momentum, weightDecay, nesterov = false }: SgdOptions,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]! + weightDecay * parameter[i]!
    let move = g
    if (velocity !== undefined && momentum > 0) {
      velocity[i] = momentum * velocity[i]! + g
      move = nesterov ? g + momentum * velocity[i]! : velocity[i]!
    }
    parameter[i]! -= learningRate * move
  }
}

export function adamWByProduct(
  parameter: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  firstMoment: Float32Array,
  secondMoment: Float32Array,
  options: AdamWOptions & ProductShape,
): void {
  adamW(parameter, weightGradient(dy, x, options), firstMoment, secondMoment, options)
}

export function sgdByProduct(
  parameter: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  velocity: Float32Array | undefined,
  options: SgdOptions & ProductShape,
): void {
  sgd(parameter, weightGradient(dy, x, options), velocity, options)
}

function weightGradient(dy: Float32Array, x: Float32Array, { rows, n, k }: ProductShape): Float32Array {
  const gradient = new Float32Array(n * k)
  matmul(gradient, dy, x, { m: n, n: k, k: rows, transposeA: true })
  return gradient
}
