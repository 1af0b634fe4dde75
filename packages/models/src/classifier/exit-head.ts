import { Linear, Module, RMSNorm, type Rng, type Tensor } from '@bio/tensor'
import { overRuns, type Run } from '../layers/runs.js'
import type { ClassifierConfig } from './config.js'

/** W·norm(mean of a sequence's tokens) + b. */
export class ExitHead extends Module {
  readonly norm: RMSNorm
  readonly output: Linear

  constructor({ dim, classes, normEpsilon: eps }: ClassifierConfig, rng: Rng) {
    super()
    this.norm = new RMSNorm(dim, { eps })
    this.output = new Linear(dim, classes, { rng })
  }

  /** x [tokens, dim] → logits [rows, classes]. */
  forward(x: Tensor, runs: readonly Run[]): Tensor {
    const pooled = overRuns([x] as const, runs, ([sequences]) => sequences.mean(1)) // [rows, dim]
    return this.output.forward(this.norm.forward(pooled))
  }
}
