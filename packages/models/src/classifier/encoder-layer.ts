import { Module, RMSNorm, type Rng, type Tensor } from '@bio/tensor'
import { Attention } from '../layers/attention.js'
import { FeedForward } from '../layers/feed-forward.js'
import type { Run } from '../layers/runs.js'
import type { ClassifierConfig } from './config.js'

/** Attention to the whole sequence, then a feed-forward block, each on the normalised sum of what came before. */
export class EncoderLayer extends Module {
  readonly attentionNorm: RMSNorm
  readonly attention: Attention
  readonly feedForwardNorm: RMSNorm
  readonly feedForward: FeedForward

  constructor(config: ClassifierConfig, rng: Rng) {
    super()
    const { dim, normEpsilon: eps } = config
    this.attentionNorm = new RMSNorm(dim, { eps })
    this.attention = new Attention(config, rng)
    this.feedForwardNorm = new RMSNorm(dim, { eps })
    this.feedForward = new FeedForward(config, rng)
  }

  /** x [tokens, dim] → the same shape. */
  forward(x: Tensor, { runs, positions }: { runs: readonly Run[]; positions: Int32Array }): Tensor {
    const attended = this.attention.forward(this.attentionNorm.forward(x), { runs, positions, causal: false })
    const y = x.add(attended)
    return y.add(this.feedForward.forward(this.feedForwardNorm.forward(y)))
  }
}
