import type { Module, Rng, Tensor } from '@bio/tensor'
import type { Batch } from '../data/dataset.js'
import type { Task } from '../data/tasks.js'

/** What a strategy may look at. */
export interface StrategyContext {
  readonly model: Module
  /** The mean loss of a batch. */
  readonly loss: (batch: Batch) => Tensor
  /** The model's scores for the classes, where the loss is the default one. */
  readonly logits: ((batch: Batch) => Tensor) | undefined
  readonly learningRate: number
  readonly rng: Rng
}

/** A way not to forget. All parts are optional; a learner calls them in the order of its strategies. */
export interface Strategy {
  readonly name: string
  /** Before each step: the batch to train on, perhaps with items added. */
  beforeStep?(batch: Batch, context: StrategyContext): Batch
  /** After each step of the optimiser, with the fresh items of the batch. */
  afterStep?(fresh: Batch, context: StrategyContext): void
  /** After the last step of a task. */
  afterTask?(task: Task, context: StrategyContext): void
}
