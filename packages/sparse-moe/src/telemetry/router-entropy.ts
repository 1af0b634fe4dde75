import { logSumExp } from '../router/log-sum-exp.js'

/**
 * The mean over tokens of −Σ_e p_e·log p_e in nats: log(experts) where the router has no opinion, 0 where it is certain. Computed as
 * logsumexp(l) − Σ p·l, one logarithm per token.
 *
 * @param logits [tokens, experts]
 * @param probabilities [tokens, experts] their softmax
 */
export function routerEntropy(logits: Float32Array, probabilities: Float32Array, experts: number): number {
  const z = logSumExp(logits, probabilities, experts)
  let sum = 0
  for (const value of z) sum += value
  for (let i = 0; i < logits.length; i++) sum -= probabilities[i]! * logits[i]!
  return sum / z.length
}
