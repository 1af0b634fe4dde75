import { allocate, apply, type Tensor } from '@bio/tensor'
import { logSumExp } from '../router/log-sum-exp.js'

/**
 * coefficient·mean_t(z_t²) with z = log Σ_e exp(l_e): keeps the router's logits small, where softmax is precise. Zoph et al. 2022
 * (ST-MoE, arXiv:2202.08906), eq. 5. Gradient: dl_te = coefficient·2·z_t·p_te / tokens.
 *
 * @param logits [tokens, experts]
 * @param probabilities [tokens, experts] their softmax
 */
export function zLoss(
  logits: Tensor,
  probabilities: Tensor,
  { coefficient }: { coefficient: number },
): Tensor {
  const [tokens, experts] = logits.shape as [number, number]
  const scale = coefficient / tokens
  return apply({
    name: 'zLoss',
    inputs: [logits],
    saved: [logits, probabilities],
    forward: () => {
      const z = logSumExp(logits.data as Float32Array, probabilities.data as Float32Array, experts)
      return { shape: [], data: Float32Array.of(z.reduce((sum, value) => sum + scale * value * value, 0)) }
    },
    backward: (dLoss, saved) => {
      const [l, p] = saved.map(({ data }) => data as Float32Array) as [Float32Array, Float32Array]
      const z = logSumExp(l, p, experts)
      const dl = allocate(p.length)
      for (let i = 0; i < dl.length; i++) dl[i] = 2 * dLoss[0]! * scale * z[Math.floor(i / experts)]! * p[i]!
      return [dl]
    },
  })
}
