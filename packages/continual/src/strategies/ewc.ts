import { BioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import type { Tensor } from '@bio/tensor'
import { fisherDiagonal, type FisherOptions } from '../fisher/diagonal.js'
import type { Strategy } from './strategy.js'

export interface EwcOptions {
  /** How hard to hold on. */
  readonly lambda: number
  /** How importance is measured. Default: exact, over all items of the task. */
  readonly fisher?: FisherOptions
  /** γ: how much of the earlier importance is kept at each task. Default 1. */
  readonly decay?: number
}

/**
 * Elastic weight consolidation (Kirkpatrick et al. 2017), online form (Schwarz et al. 2018): L = L_new + (λ/2) Σ Ω (θ − θ*)², with the
 * Fisher diagonal added up over tasks, Ω ← γΩ + F, and the anchor θ* at the end of the last one.
 *
 * Departure: the penalty is applied as its proximal step after each step of the optimiser, θ ← (θ + ηλΩθ*) / (1 + ηλΩ), which is stable for
 * every λ; its gradient diverges once ηλΩ > 2.
 *
 * Throws ERR_BIO_VALUE for a λ or decay that is negative or not finite.
 *
 * @example
 * ```ts
 * import { ewc } from '@bio/continual'
 *
 * console.log(ewc({ lambda: 100 }).name) // => ewc 100
 * ```
 */
export function ewc({ lambda, fisher = { kind: 'exact' }, decay = 1 }: EwcOptions): Strategy {
  for (const [name, value] of Object.entries({ lambda, decay })) {
    if (value >= 0 && value < Infinity) continue
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'ewc',
      expected: `${name} of at least 0`,
      received: String(value),
    })
  }
  const held = new Map<Tensor, { importance: Float32Array; anchor: Float32Array }>()
  return {
    name: `ewc ${lambda}`,
    afterStep(_, { learningRate }) {
      for (const [parameter, { importance, anchor }] of held) {
        pull(parameter.data as Float32Array, { importance, anchor, strength: learningRate * lambda })
        parameter.storage.version++
      }
    },
    afterTask(task, context) {
      for (const [parameter, fresh] of fisherDiagonal(context, task.train, fisher)) {
        const before = held.get(parameter)?.importance
        if (before !== undefined) getKernels().addScaled(fresh, before, decay)
        held.set(parameter, { importance: fresh, anchor: (parameter.data as Float32Array).slice() })
      }
    },
  }
}

/** θ ← (θ + sΩθ*) / (1 + sΩ), written as a step towards θ* so that a huge s neither overflows nor moves past it. */
function pull(
  values: Float32Array,
  { importance, anchor, strength }: { importance: Float32Array; anchor: Float32Array; strength: number },
): void {
  for (let i = 0; i < values.length; i++) {
    const hold = strength * importance[i]!
    values[i] = anchor[i]! + (values[i]! - anchor[i]!) / (1 + hold)
  }
}
