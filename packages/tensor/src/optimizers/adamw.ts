import { BioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import type { WeightProduct } from '../tape/weight-product.js'
import type { Tensor } from '../tensor.js'
import { checkPositive, Optimizer } from './optimizer.js'

export interface AdamWOptions {
  readonly lr: number
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number]
  /** Default 1e-8. */
  readonly eps?: number
  /** Default 0.01. */
  readonly weightDecay?: number
}

/**
 * Adam with decoupled weight decay, in PyTorch's order of operations: p −= lr·λ·p, m = β₁m + (1−β₁)g, v = β₂v + (1−β₂)g²,
 * p −= lr·m̂ / (√v̂ + ε). Loshchilov and Hutter 2019. Errors: ERR_BIO_VALUE.
 */
export class AdamW extends Optimizer {
  readonly #options: { beta1: number; beta2: number; epsilon: number; weightDecay: number }

  constructor(
    parameters: Iterable<Tensor>,
    { lr, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 }: AdamWOptions,
  ) {
    super(parameters, { lr, slots: ['firstMoment', 'secondMoment'] })
    const [beta1, beta2] = betas
    for (const [name, value] of Object.entries({ beta1, beta2, eps, weightDecay })) checkPositive(name, value)
    if (beta1 >= 1 || beta2 >= 1 || eps === 0) {
      throw new BioError('ERR_BIO_VALUE', {
        operation: 'AdamW',
        expected: 'betas below 1 and eps above 0',
        received: `betas ${beta1}, ${beta2} and eps ${eps}`,
      })
    }
    this.#options = { beta1, beta2, epsilon: eps, weightDecay }
  }

  protected override update(parameter: Float32Array, gradient: Float32Array, index: number): void {
    const [first, second] = this.#moments(index)
    // Written out, as in `SGD`.
    const { beta1, beta2, epsilon, weightDecay } = this.#options
    const options = { learningRate: this.lr, beta1, beta2, epsilon, weightDecay, step: this.steps[index]! }
    getKernels().adamW(parameter, gradient, first, second, options)
  }

  protected override updateByProduct(
    parameter: Float32Array,
    { dy, x, rows, n, k }: WeightProduct,
    index: number,
  ): void {
    const [first, second] = this.#moments(index)
    const { beta1, beta2, epsilon, weightDecay } = this.#options
    getKernels().adamWByProduct(parameter, dy, x, first, second, {
      rows,
      n,
      k,
      learningRate: this.lr,
      beta1,
      beta2,
      epsilon,
      weightDecay,
      step: this.steps[index]!,
    })
  }

  #moments(index: number): [Float32Array, Float32Array] {
    return [this.slot('firstMoment', index), this.slot('secondMoment', index)]
  }
}
