import { Linear, Module, swiglu, type Rng, type Tensor } from '@bio/tensor'

/** W_down·(silu(g) ⊙ u) with [g; u] = W_gateUp·x, no bias: one expert that every token visits (Shazeer 2020, SwiGLU). */
export class FeedForward extends Module {
  readonly gateUp: Linear
  readonly down: Linear

  constructor({ dim, hidden }: { dim: number; hidden: number }, rng: Rng) {
    super()
    this.gateUp = new Linear(dim, 2 * hidden, { bias: false, rng })
    this.down = new Linear(hidden, dim, { bias: false, rng })
  }

  /** x [tokens, dim] → the same shape. */
  forward(x: Tensor): Tensor {
    return this.down.forward(swiglu(this.gateUp.forward(x)))
  }
}
