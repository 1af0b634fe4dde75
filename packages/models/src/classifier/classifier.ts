import { BioError } from '@bio/errors'
import { Linear, Module, noGrad, scope, type Rng, type Tensor } from '@bio/tensor'
import { positionsOf, runsOf } from '../layers/runs.js'
import { checkClassifier, type ClassifierConfig } from './config.js'
import { EncoderLayer } from './encoder-layer.js'
import { ExitHead } from './exit-head.js'
import { gatherSequences, withoutPadding, type ClassifierState } from './classifier-state.js'

/**
 * A transformer encoder that classifies sequences and may answer early: RMS norm before each block, rotary positions, attention to the
 * whole sequence, SwiGLU; after each of `config.exits` layers a head on the mean of the sequence's tokens.
 *
 * `forward` trains all heads at once. `embed`, `stage`, `head` and `gather` are what `EarlyExit` of `@bio/batching` drives; they record
 * nothing, and a row has the same bits whatever rows and padding are around it. Padding is dropped where it comes in, so that nothing
 * attends to it, pools it or computes it.
 *
 * Errors: ERR_BIO_CONFIG (config), ERR_BIO_SHAPE (x, lengths), ERR_BIO_DTYPE (x), ERR_BIO_INDEX (no such stage or row).
 *
 * @example
 * ```ts
 * import { Classifier, classifierConfig } from '@bio/models'
 * import { randn, Rng } from '@bio/tensor'
 *
 * const config = classifierConfig({ features: 8, classes: 10, dim: 16, layers: 4, heads: 2, hidden: 32, exits: [2, 4] })
 * const model = new Classifier(config, { rng: new Rng(1) })
 * const x = randn([3, 8, 8], { rng: new Rng(2) }) // three sequences, the last padded
 * const state = model.stage(0, model.embed(x, { lengths: [8, 8, 5] }))
 * console.log(model.stages, model.head(0, model.gather(state, Int32Array.of(2))).length) // => 2 10
 * ```
 */
export class Classifier extends Module {
  readonly config: ClassifierConfig
  readonly embedding: Linear
  readonly layers: EncoderLayer[]
  readonly heads: ExitHead[]

  constructor(config: ClassifierConfig, { rng }: { rng: Rng }) {
    super()
    checkClassifier(config, 'Classifier')
    this.config = config
    this.embedding = new Linear(config.features, config.dim, { rng })
    this.layers = Array.from({ length: config.layers }, () => new EncoderLayer(config, rng))
    this.heads = config.exits.map(() => new ExitHead(config, rng))
  }

  /** One per head. */
  get stages(): number {
    return this.config.exits.length
  }

  /** x f32 [batch, length, features] → the logits [batch, classes] of each head. */
  forward(x: Tensor, options: { lengths?: ArrayLike<number> } = {}): Tensor[] {
    let state = this.embedded(x, options.lengths)
    return this.heads.map((head, k) => {
      state = this.deepened(k, state)
      return head.forward(state.x, runsOf(state.lengths))
    })
  }

  /** x f32 [batch, length, features], of which each row's first `lengths[row]` tokens count (default: all) → what stage 0 takes. */
  embed(x: Tensor, options: { lengths?: ArrayLike<number> } = {}): ClassifierState {
    return noGrad(() => scope(() => this.embedded(x, options.lengths)))
  }

  /** Runs the layers between head k − 1 and head k. */
  stage(k: number, state: ClassifierState): ClassifierState {
    this.checkStage(k)
    return noGrad(() => scope(() => this.deepened(k, state)))
  }

  /** What the head after stage k answers: logits [rows, classes]. */
  head(k: number, { x, lengths }: ClassifierState): Float32Array {
    this.checkStage(k)
    const logits = noGrad(() => scope(() => this.heads[k]!.forward(x, runsOf(lengths))))
    return logits.data as Float32Array
  }

  /** These rows alone, in this order. */
  gather(state: ClassifierState, rows: Int32Array): ClassifierState {
    return noGrad(() => scope(() => gatherSequences(state, rows)))
  }

  private embedded(x: Tensor, lengths: ArrayLike<number> | undefined): ClassifierState {
    const state = withoutPadding(x, { features: this.config.features, lengths })
    return { ...state, x: this.embedding.forward(state.x) } // [tokens, dim]
  }

  private deepened(k: number, { x, lengths }: ClassifierState): ClassifierState {
    const { exits } = this.config
    const runs = runsOf(lengths)
    const where = { runs, positions: positionsOf(runs) }
    const layers = this.layers.slice(exits[k - 1] ?? 0, exits[k])
    return { x: layers.reduce((value, layer) => layer.forward(value, where), x), lengths }
  }

  private checkStage(k: number): void {
    if (Number.isInteger(k) && k >= 0 && k < this.stages) return
    throw new BioError('ERR_BIO_INDEX', {
      operation: 'Classifier',
      expected: `a stage from 0 to ${this.stages - 1}`,
      received: String(k),
    })
  }
}
