import { Module, uniform, type Rng, type Tensor } from '@bio/tensor'

/**
 * The router's matrix. No `Linear`, so that quantization leaves it alone: it is tiny, and a rounded logit sends tokens elsewhere.
 */
export class RouterWeight extends Module {
  readonly weight: Tensor // [experts, dim]

  constructor({ experts, dim, rng }: { experts: number; dim: number; rng: Rng }) {
    super()
    const bound = 1 / Math.sqrt(dim) // as PyTorch's Linear
    this.weight = uniform([experts, dim], { rng, low: -bound, high: bound, requiresGrad: true })
  }
}
