import { ones, zeros } from '../create.js'
import { layerNorm, rmsNorm } from '../ops/norm.js'
import type { Tensor } from '../tensor.js'
import { Module } from './module.js'

/** x / √(mean(x²) + ε) · weight; ε = 1e-5 by default. Weight starts at 1. */
export class RMSNorm extends Module {
  readonly weight: Tensor // [dim]
  readonly eps: number

  constructor(dim: number, { eps = 1e-5 }: { eps?: number } = {}) {
    super()
    this.weight = ones([dim], { requiresGrad: true })
    this.eps = eps
  }

  /** x [..., dim] → the same shape. */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, this.eps)
  }
}

/** (x − mean) / √(variance + ε) · weight + bias; ε = 1e-5 by default. Weight starts at 1, bias at 0. */
export class LayerNorm extends Module {
  readonly weight: Tensor // [dim]
  readonly bias: Tensor // [dim]
  readonly eps: number

  constructor(dim: number, { eps = 1e-5 }: { eps?: number } = {}) {
    super()
    this.weight = ones([dim], { requiresGrad: true })
    this.bias = zeros([dim], { requiresGrad: true })
    this.eps = eps
  }

  /** x [..., dim] → the same shape. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, this.eps)
  }
}
