import type { Balance } from './balance.js'

/** No balance loss: for inference-only layers, or to watch the collapse. */
export function noBalance(): Balance {
  return {
    evaluate: (meanProbability) => ({ loss: 0, gradient: new Float64Array(meanProbability.length) }),
  }
}
