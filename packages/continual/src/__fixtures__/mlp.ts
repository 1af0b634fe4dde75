import { Linear, Module, type Rng, type Tensor } from '@bio/tensor'

/** Linear layers with ReLU between them. */
export class Mlp extends Module {
  readonly layers: Linear[]

  constructor(sizes: readonly number[], rng: Rng) {
    super()
    this.layers = sizes.slice(1).map((out, index) => new Linear(sizes[index]!, out, { rng }))
  }

  /** x [items, in] → class scores [items, out]. */
  forward(x: Tensor): Tensor {
    return this.layers.reduce(
      (value, layer, index) => (index === 0 ? layer.forward(value) : layer.forward(value.relu())),
      x,
    )
  }
}
