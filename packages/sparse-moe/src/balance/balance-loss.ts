import { allocate, apply, type Tensor } from '@bio/tensor'
import type { Balance } from './balance.js'

/**
 * The balance loss of a layer as a scalar that trains the router: the mean over tokens of p is taken in f64, and dp = dP / tokens.
 *
 * @param probabilities [tokens, experts]
 * @param load [experts]
 */
export function balanceLoss(probabilities: Tensor, load: Float64Array, balance: Balance): Tensor {
  const [tokens, experts] = probabilities.shape as [number, number]
  const { loss, gradient } = balance.evaluate(columnMeans(probabilities.data as Float32Array, experts), load)
  return apply({
    name: 'balanceLoss',
    inputs: [probabilities],
    forward: () => ({ shape: [], data: Float32Array.of(loss) }),
    backward: (dLoss) => {
      const dp = allocate(tokens * experts)
      for (let i = 0; i < dp.length; i++) dp[i] = (dLoss[0]! * gradient[i % experts]!) / tokens
      return [dp]
    },
  })
}

function columnMeans(values: Float32Array, columns: number): Float64Array {
  const means = new Float64Array(columns)
  for (let i = 0; i < values.length; i++) means[i % columns]! += values[i]!
  return means.map((sum) => (sum * columns) / values.length)
}
