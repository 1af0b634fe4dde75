import { fromData, randn, type Rng, type Tensor } from '../index.js'
import { error } from './golden.js'
import type { Values } from './oracle.js'

const step = 1e-5

/**
 * Compares an operation with an f64 oracle: its output, and its gradients (times a random dy) with central differences of the oracle.
 * Returns the largest errors, relative to 1 + |expected|.
 */
export function checkGradient(
  inputs: readonly Tensor[],
  { operation, oracle, rng }: { operation: (...inputs: Tensor[]) => Tensor; oracle: (...inputs: Values[]) => Values; rng: Rng },
): { output: number; gradient: number } {
  const values = inputs.map((input) => Float64Array.from(input.data))
  for (const input of inputs) input.requiresGrad = true
  const y = operation(...inputs)
  const output = error(y.data, oracle(...values))
  const dy = randn(y.shape, { rng })
  const slope = Float64Array.from(dy.data)
  y.backward(fromData((dy.data as Float32Array).slice(), y.shape))

  const along = (): number => oracle(...values).reduce((sum, value, i) => sum + value * slope[i]!, 0)
  let gradient = 0
  inputs.forEach((input, index) => {
    const expected = values[index]!.map((value, i) => {
      values[index]![i] = value + step
      const above = along()
      values[index]![i] = value - step
      const below = along()
      values[index]![i] = value
      return (above - below) / (2 * step)
    })
    gradient = Math.max(gradient, error(input.grad?.data ?? [], expected))
  })
  return { output, gradient }
}
