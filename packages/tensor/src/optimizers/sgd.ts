import { getKernels } from '@bio/kernels'
import type { WeightProduct } from '../tape/weight-product.js'
import type { Tensor } from '../tensor.js'
import { checkPositive, Optimizer } from './optimizer.js'

export interface SGDOptions {
  readonly lr: number
  /** Default 0. */
  readonly momentum?: number
  /** Added to the gradient as λ·p. Default 0. */
  readonly weightDecay?: number
  /** Default false. */
  readonly nesterov?: boolean
}

/** Stochastic gradient descent as PyTorch defines it: v = μ·v + g; p −= lr·v, or lr·(g + μ·v) with nesterov. Errors: ERR_BIO_VALUE. */
export class SGD extends Optimizer {
  readonly #options: { momentum: number; weightDecay: number; nesterov: boolean }

  constructor(
    parameters: Iterable<Tensor>,
    { lr, momentum = 0, weightDecay = 0, nesterov = false }: SGDOptions,
  ) {
    super(parameters, { lr, slots: ['velocity'] })
    checkPositive('momentum', momentum)
    checkPositive('weightDecay', weightDecay)
    this.#options = { momentum, weightDecay, nesterov }
  }

  protected override update(parameter: Float32Array, gradient: Float32Array, index: number): void {
    // Written out, here and below: what is spread with more beside it is built in V8's slow way, a microsecond and more each time.
    const { momentum, weightDecay, nesterov } = this.#options
    const options = { learningRate: this.lr, momentum, weightDecay, nesterov }
    getKernels().sgd(parameter, gradient, this.#velocity(index), options)
  }

  protected override updateByProduct(
    parameter: Float32Array,
    { dy, x, rows, n, k }: WeightProduct,
    index: number,
  ): void {
    const { momentum, weightDecay, nesterov } = this.#options
    const options = { rows, n, k, learningRate: this.lr, momentum, weightDecay, nesterov }
    getKernels().sgdByProduct(parameter, dy, x, this.#velocity(index), options)
  }

  #velocity(index: number): Float32Array | undefined {
    return this.#options.momentum > 0 ? this.slot('velocity', index) : undefined
  }
}
