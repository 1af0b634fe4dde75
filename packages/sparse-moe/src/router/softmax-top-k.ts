import { checkCount } from '../checks.js'
import type { Router } from './router.js'
import { selectTopK } from './select-top-k.js'
import { selectedWeights } from './selected-weights.js'

/**
 * Softmax over all experts in f32, then the `topK` most probable; of equals the lower index wins.
 *
 * w_j = p_j / Σ_{i chosen} p_i for topK > 1, as Mixtral (Jiang et al. 2024, arXiv:2401.04088; no epsilon: the sum is at least topK / experts). For topK = 1,
 * w = p, as Switch (Fedus et al. 2022): normalised it would be 1 whatever the router said, and the router would learn nothing from
 * the task. Errors: ERR_BIO_CONFIG.
 */
export function softmaxTopK({ topK }: { topK: number }): Router {
  checkCount('softmaxTopK', 'topK', topK)
  return {
    topK,
    route(logits) {
      const experts = logits.shape[1]!
      const probabilities = logits.softmax() // [tokens, experts]
      const selected = selectTopK(probabilities.data as Float32Array, { experts, topK }) // [tokens, topK]
      const weights = selectedWeights(probabilities, selected, { topK, normalise: topK > 1 }) // [tokens, topK]
      return { selected, weights, probabilities }
    },
  }
}
