import { checkCoefficient } from '../checks.js'
import type { Balance } from './balance.js'

/**
 * alpha·E·Σ_e f_e·P_e per layer: pushes probability away from the experts that are busy; alpha when even. Fedus et al. 2022, eq. 4, with f
 * over all topK choices instead of the first, so that Σ f = 1 for every topK.
 *
 * Coefficients do not port from Hugging Face, whose value at balance is topK instead of 1. Errors: ERR_BIO_CONFIG.
 */
export function switchLoss({ alpha }: { alpha: number }): Balance {
  checkCoefficient('switchLoss', 'alpha', alpha)
  return {
    evaluate(meanProbability, load) {
      const scale = alpha * load.length
      const gradient = load.map((fraction) => scale * fraction)
      return {
        loss: gradient.reduce((sum, slope, expert) => sum + slope * meanProbability[expert]!, 0),
        gradient,
      }
    },
  }
}
