import type { Module, Rng, Tensor } from '@bio/tensor'
import type { Batch } from '../data/dataset.js'
import type { Task } from '../data/tasks.js'

/** The mean loss of a batch. */
export type Loss<Model extends Module> = (model: Model, batch: Batch) => Tensor

/** What a strategy may look at. */
export interface StrategyContext<Model extends Module> {
  readonly model: Model
  readonly loss: Loss<Model>
  /** The model's scores for the classes, where the loss is the default one. */
  readonly logits: ((model: Model, batch: Batch) => Tensor) | undefined
  readonly learningRate: number
  readonly rng: Rng
}

/** A way not to forget. All parts are optional; a learner calls them in the order of its strategies. */
export interface Strategy<Model extends Module = Module> {
  readonly name: string
  /** Before each step: the batch to train on, perhaps with items added. */
  beforeStep?(batch: Batch, context: StrategyContext<Model>): Batch
  /** After each step of the optimiser, with the fresh items of the batch. */
  afterStep?(fresh: Batch, context: StrategyContext<Model>): void
  /** After the last step of a task. */
  afterTask?(task: Task, context: StrategyContext<Model>): void
}
