import { checkCoefficient } from '../checks.js'
import type { Balance } from './balance.js'

/**
 * alpha·E·Σ_e P_e² = alpha·(1 + CV²(P)) per layer: evens out the mean probability; alpha when even. Shazeer et al. 2017, eq. 6–7, up to a
 * constant.
 *
 * It does not see the load: where probabilities are nearly flat but the same experts always win, it is at its minimum. Take `switchLoss`
 * unless you compare the two. Errors: ERR_BIO_CONFIG.
 */
export function importanceLoss({ alpha }: { alpha: number }): Balance {
  checkCoefficient('importanceLoss', 'alpha', alpha)
  return {
    evaluate(meanProbability) {
      const scale = alpha * meanProbability.length
      return {
        loss: meanProbability.reduce((sum, mean) => sum + scale * mean * mean, 0),
        gradient: meanProbability.map((mean) => 2 * scale * mean),
      }
    },
  }
}
