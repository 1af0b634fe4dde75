/**
 * The `topK` most probable experts of each token, best first; of equals the lower index wins. NaN ranks below every number, so a token
 * of NaN still gets `topK` distinct experts, and its weights carry the NaN on.
 *
 * @param probabilities [tokens, experts]
 * @returns [tokens, topK]
 */
export function selectTopK(
  probabilities: Float32Array,
  { experts, topK }: { experts: number; topK: number },
): Int32Array {
  const tokens = probabilities.length / experts
  const selected = new Int32Array(tokens * topK)
  const best = new Float64Array(topK) // of this token, falling
  for (let token = 0; token < tokens; token++) {
    const at = token * topK
    best.fill(-Infinity)
    let filled = 0
    for (let expert = 0; expert < experts; expert++) {
      const value = probabilities[token * experts + expert]!
      const rank = value === value ? value : -Infinity
      if (filled === topK && !(rank > best[topK - 1]!)) continue
      let slot = filled < topK ? filled++ : topK - 1
      for (; slot > 0 && rank > best[slot - 1]!; slot--) {
        best[slot] = best[slot - 1]!
        selected[at + slot] = selected[at + slot - 1]!
      }
      best[slot] = rank
      selected[at + slot] = expert
    }
  }
  return selected
}
