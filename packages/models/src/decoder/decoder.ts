import { BioError } from '@bio/errors'
import {
  fromData,
  gatherRows,
  Linear,
  Embedding,
  Module,
  noGrad,
  RMSNorm,
  scope,
  type Rng,
  type Tensor,
} from '@bio/tensor'
import { MoE, softmaxTopK, switchLoss, type MoEAux } from '@bio/sparse-moe'
import { Attention } from '../layers/attention.js'
import { positionsOf } from '../layers/runs.js'
import { checkConfig, type DecoderConfig } from './config.js'
import { flatten, type PagedBatch, type PagedCache, type SequenceChunk } from './paged-batch.js'

/** Attention, then experts, each on the normalised sum of what came before. */
export class DecoderLayer extends Module {
  readonly attentionNorm: RMSNorm
  readonly attention: Attention
  readonly expertsNorm: RMSNorm
  readonly experts: MoE

  constructor(config: DecoderConfig, rng: Rng, balance: number) {
    super()
    const { dim, hidden, experts, topK, normEpsilon: eps } = config
    this.attentionNorm = new RMSNorm(dim, { eps })
    this.attention = new Attention(config, rng)
    this.expertsNorm = new RMSNorm(dim, { eps })
    this.experts = new MoE({
      dim,
      hidden,
      experts,
      router: softmaxTopK({ topK }),
      balance: switchLoss({ alpha: balance }),
      rng,
    })
  }
}

/** What the experts said of a forward pass: the balance loss summed over layers, and each layer's telemetry. */
export interface DecoderOutput {
  readonly logits: Tensor // [batch·length, vocabSize]
  readonly balanceLoss: Tensor
  readonly experts: readonly MoEAux[]
}

/**
 * A decoder whose feed-forward layers are mixtures of experts, as Mixtral (Jiang et al. 2024): RMS norm before each block, rotary
 * positions, grouped key heads, SwiGLU experts chosen by softmax top-k. `forward` trains, `step` serves from a paged cache; both
 * compute the same function.
 */
export class Decoder extends Module {
  readonly config: DecoderConfig
  readonly embedding: Embedding
  readonly layers: DecoderLayer[]
  readonly norm: RMSNorm
  readonly head: Linear

  /** `balance` is the coefficient of each layer's load-balancing loss. */
  constructor(config: DecoderConfig, { rng, balance = 0.01 }: { rng: Rng; balance?: number }) {
    super()
    checkConfig(config, 'Decoder')
    this.config = config
    this.embedding = new Embedding(config.vocabSize, config.dim, { rng })
    this.layers = Array.from({ length: config.layers }, () => new DecoderLayer(config, rng, balance))
    this.norm = new RMSNorm(config.dim, { eps: config.normEpsilon })
    this.head = new Linear(config.dim, config.vocabSize, { bias: false, rng })
  }

  /** ids [batch·length], `batch` sequences of equal length one after the other. */
  forward(ids: Tensor, { batch }: { batch: number }): DecoderOutput {
    const length = ids.size / batch
    if (!Number.isInteger(length) || length > this.config.maxPositions) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'Decoder.forward',
        expected: `${batch} sequences of equal length up to ${this.config.maxPositions}`,
        received: `${ids.size} ids`,
      })
    }
    const runs = [{ batch, length }]
    const of = { runs, positions: positionsOf(runs), causal: true }
    let x = this.embedding.forward(ids) // [batch·length, dim]
    const experts: MoEAux[] = []
    for (const layer of this.layers) {
      x = x.add(layer.attention.forward(layer.attentionNorm.forward(x), of))
      const { y, aux } = layer.experts.forward(layer.expertsNorm.forward(x))
      experts.push(aux)
      x = x.add(y)
    }
    const logits = this.head.forward(this.norm.forward(x)) // [batch·length, vocabSize]
    const balanceLoss = experts.map((aux) => aux.loss).reduce((sum, loss) => sum.add(loss))
    return { logits, balanceLoss, experts }
  }

  /**
   * Runs new tokens of several sequences at once and returns the logits [chunks, vocabSize] after the last token of each. Their keys
   * and values are in the cache afterwards. A row's logits have the same bits whatever else is in the batch, however the prompt was
   * cut into chunks, and wherever its blocks lie, in each number format of the cache: attention reads even the newest keys from the pages.
   */
  step(chunks: readonly SequenceChunk[], cache: PagedCache): Float32Array {
    for (const { tokens, start } of chunks) this.checkChunk(tokens, start)
    const batch = flatten(chunks, cache.blockTokens)
    return noGrad(() => {
      const logits = scope(() => this.forwardPaged(batch, cache))
      return logits.data as Float32Array
    })
  }

  private forwardPaged(batch: PagedBatch, cache: PagedCache): Tensor {
    let x = this.embedding.forward(fromData(batch.tokens, [batch.tokens.length])) // [tokens, dim]
    this.layers.forEach((layer, index) => {
      x = x.add(layer.attention.forwardPaged(layer.attentionNorm.forward(x), batch, cache, index))
      x = x.add(layer.experts.forward(layer.expertsNorm.forward(x)).y)
    })
    const last = gatherRows(x, batch.lastRows) // [chunks, dim]: the head is needed only there
    return this.head.forward(this.norm.forward(last))
  }

  private checkChunk(tokens: ArrayLike<number>, start: number): void {
    const end = start + tokens.length
    if (tokens.length > 0 && Number.isInteger(start) && start >= 0 && end <= this.config.maxPositions) return
    throw new BioError('ERR_BIO_SHAPE', {
      operation: 'Decoder.step',
      expected: `at least one token, at positions below ${this.config.maxPositions}`,
      received: `${tokens.length} tokens from position ${start}`,
    })
  }
}
