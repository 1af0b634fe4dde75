import { allocate, apply, type Tensor } from '@bio/tensor'

/**
 * w_j = p_j of the selected experts, or p_j / Z with Z = Σ_i p_i if `normalise`.
 *
 * Gradient for the selected: dp_j = dw_j, or (dw_j − Σ_i w_i·dw_i) / Z; 0 for the others.
 *
 * @param probabilities [tokens, experts]
 * @param selected [tokens, topK]
 * @returns [tokens, topK]
 */
export function selectedWeights(
  probabilities: Tensor,
  selected: Int32Array,
  { topK, normalise }: { topK: number; normalise: boolean },
): Tensor {
  const [tokens, experts] = probabilities.shape as [number, number]
  const place = (choice: number): number => Math.floor(choice / topK) * experts + selected[choice]!
  return apply({
    name: 'selectedWeights',
    inputs: [probabilities],
    saved: [probabilities],
    forward: () => {
      const p = probabilities.data as Float32Array
      const w = allocate(tokens * topK)
      for (let from = 0; from < w.length; from += topK) {
        let sum = 0
        for (let choice = from; choice < from + topK; choice++) sum += p[place(choice)]!
        for (let choice = from; choice < from + topK; choice++)
          w[choice] = p[place(choice)]! / (normalise ? sum : 1)
      }
      return { shape: [tokens, topK], data: w }
    },
    backward: (dw, [saved]) => {
      const p = saved!.data as Float32Array
      const dp = allocate(p.length).fill(0)
      for (let from = 0; from < dw.length; from += topK) {
        let [sum, dot] = [0, 0] // Z and Z·Σ w·dw
        for (let choice = from; choice < from + topK; choice++) {
          sum += p[place(choice)]!
          dot += p[place(choice)]! * dw[choice]!
        }
        for (let choice = from; choice < from + topK; choice++) {
          dp[place(choice)] = normalise ? (dw[choice]! - dot / sum) / sum : dw[choice]!
        }
      }
      return [dp]
    },
  })
}
