/**
 * [tokens] log Σ_e exp(l_e) from logits l and their softmax p, both [tokens, experts]: l − log p at the most probable expert, where
 * p ≥ 1/experts loses no precision.
 */
export function logSumExp(logits: Float32Array, probabilities: Float32Array, experts: number): Float64Array {
  const result = new Float64Array(logits.length / experts)
  for (let token = 0; token < result.length; token++) {
    let best = token * experts
    for (let i = best + 1; i < (token + 1) * experts; i++)
      if (probabilities[i]! > probabilities[best]!) best = i
    result[token] = logits[best]! - Math.log(probabilities[best]!)
  }
  return result
}
