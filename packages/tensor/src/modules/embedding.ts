import { randn } from '../create.js'
import { embedding } from '../ops/rows.js'
import type { Rng } from '../rng.js'
import type { Tensor } from '../tensor.js'
import { Module } from './module.js'

/** A row of `weight` per id. Weights start normal, standard deviation 1, as PyTorch's. */
export class Embedding extends Module {
  readonly weight: Tensor // [count, dim]

  constructor(count: number, dim: number, { rng }: { rng: Rng }) {
    super()
    this.weight = randn([count, dim], { rng, requiresGrad: true })
  }

  /** ids i32 [...] → [..., dim]. Errors: ERR_BIO_DTYPE, ERR_BIO_INDEX. */
  forward(ids: Tensor): Tensor {
    return embedding(ids, this.weight)
  }
}
