import { uniform } from '../create.js'
import { groupedLinear, linear } from '../ops/linear.js'
import { gatherRows } from '../ops/rows.js'
import type { Rng } from '../rng.js'
import { refuseShape } from '../shape.js'
import type { Tensor } from '../tensor.js'
import { Module } from './module.js'

/** y = x·Wᵀ + b. Weight and bias start even in ±1/√in, as PyTorch's. */
export class Linear extends Module {
  readonly weight: Tensor // [out, in]
  readonly bias?: Tensor // [out]
  readonly inFeatures: number
  readonly outFeatures: number

  constructor(inFeatures: number, outFeatures: number, { bias = true, rng }: { bias?: boolean; rng: Rng }) {
    super()
    checkFeatures('Linear', { inFeatures, outFeatures })
    const bound = 1 / Math.sqrt(inFeatures)
    this.inFeatures = inFeatures
    this.outFeatures = outFeatures
    this.weight = uniform([outFeatures, inFeatures], { rng, low: -bound, high: bound, requiresGrad: true })
    if (bias) this.bias = uniform([outFeatures], { rng, low: -bound, high: bound, requiresGrad: true })
  }

  /** x [..., in] → [..., out]. Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE. */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias)
  }
}

/** A linear layer without bias per expert, over rows sorted by expert. Weights start even in ±1/√in. */
export class GroupedLinear extends Module {
  readonly weight: Tensor // [experts, out, in]
  readonly experts: number
  readonly inFeatures: number
  readonly outFeatures: number

  constructor(experts: number, inFeatures: number, outFeatures: number, { rng }: { rng: Rng }) {
    super()
    checkFeatures('GroupedLinear', { experts, inFeatures, outFeatures })
    const bound = 1 / Math.sqrt(inFeatures)
    this.experts = experts
    this.inFeatures = inFeatures
    this.outFeatures = outFeatures
    this.weight = uniform([experts, outFeatures, inFeatures], {
      rng,
      low: -bound,
      high: bound,
      requiresGrad: true,
    })
  }

  /**
   * x [rows, in], rows of expert e from offsets[e] to offsets[e + 1] → [rows, out]. With `index` row r is x[index[r]]; it must not change
   * before backward. Errors: ERR_BIO_SHAPE, ERR_BIO_INDEX.
   */
  forward(x: Tensor, offsets: Int32Array, index?: Int32Array): Tensor {
    return groupedLinear(index === undefined ? x : gatherRows(x, index), this.weight, offsets)
  }
}

function checkFeatures(operation: string, sizes: Record<string, number>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 1)
      refuseShape(operation, `${name}, a whole number of at least 1`, size)
  }
}
