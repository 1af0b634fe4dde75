import { BioError } from '@bio/errors'
import { crossEntropy, noGrad, Rng, scope, type Module, type Optimizer, type Tensor } from '@bio/tensor'
import { batchOf, type Batch } from './data/dataset.js'
import type { Task } from './data/tasks.js'
import { LearningResult, type EnergyReading, type LearningCost } from './result.js'
import type { Strategy, StrategyContext } from './strategies/strategy.js'

/** Measures joules: `EnergyMeter` of `@bio/energy` is one. */
export interface Meter<Energy extends EnergyReading = EnergyReading> {
  begin(label: string): { end(): Energy }
}

/** A model whose forward pass gives class scores. */
interface Classifier {
  forward(x: Tensor): Tensor
}

export interface LearnerOptions<Model extends Module, Energy extends EnergyReading = EnergyReading> {
  readonly batchSize: number
  /** Passes over each task. */
  readonly epochs: number
  /** Mean loss of a batch. Default: cross-entropy of `model.forward(x)` [items, classes]. */
  readonly loss?: (model: Model, batch: Batch) => Tensor
  /** Sum over a batch of what evaluation averages; higher is better. Default: right answers. */
  readonly score?: (model: Model, batch: Batch) => number
  /** Stops each task after so many steps, whatever `epochs` says. */
  readonly maxSteps?: number
  /** With one, `run` also takes the loss on what is held out, so that joules can be set against bits. */
  readonly meter?: Meter<Energy>
  /** Order of items. Default `new Rng(0)`. */
  readonly rng?: Rng
}

export interface LearnProgress {
  readonly task: string
  readonly step: number
  readonly steps: number
  readonly loss: number
}

export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LearnProgress) => void
}

/**
 * Learns one task after the other with strategies against forgetting.
 *
 * Throws ERR_BIO_DIVERGED, naming task and step, as soon as a loss is not a number; an aborted signal's reason between two steps. The model
 * then is as its last whole step left it.
 */
export class Learner<Model extends Module, Energy extends EnergyReading = EnergyReading> {
  readonly model: Model
  readonly #optimizer: Optimizer
  readonly #strategies: readonly Strategy[]
  readonly #options: LearnerOptions<Model, Energy>
  readonly #order: Rng
  /** The strategies' own: what they draw does not change the order of the items. */
  readonly #rng: Rng
  readonly #loss: (model: Model, batch: Batch) => Tensor

  constructor(
    model: Model,
    optimizer: Optimizer,
    strategies: readonly Strategy[],
    options: LearnerOptions<Model, Energy>,
  ) {
    for (const name of ['batchSize', 'epochs'] as const) {
      if (Number.isSafeInteger(options[name]) && options[name] > 0) continue
      throw new BioError('ERR_BIO_VALUE', {
        operation: 'Learner',
        expected: `${name} of at least 1`,
        received: String(options[name]),
      })
    }
    this.model = model
    this.#optimizer = optimizer
    this.#strategies = strategies
    this.#options = options
    this.#order = options.rng ?? new Rng(0)
    this.#rng = this.#order.fork(1)
    this.#loss = options.loss ?? ((current, { x, y }) => crossEntropy(classify(current, x), y))
  }

  /** Learns all tasks in order; before and after each, every task is evaluated. */
  async run(tasks: readonly Task[], options: RunOptions = {}): Promise<LearningResult<Energy>> {
    const accuracy = [tasks.map((task) => this.evaluate(task))]
    const before = this.#heldOutNats(tasks)
    const costs: LearningCost<Energy>[] = []
    for (const task of tasks) {
      costs.push(await this.learn(task, options))
      accuracy.push(tasks.map((each) => this.evaluate(each)))
    }
    const after = this.#heldOutNats(tasks)
    const nats = before === null || after === null ? null : { before, after }
    return new LearningResult({ names: tasks.map(({ name }) => name), accuracy, costs, nats })
  }

  /** Learns one task. */
  async learn(task: Task, { signal, onProgress }: RunOptions = {}): Promise<LearningCost<Energy>> {
    const { batchSize, epochs, maxSteps = Infinity, meter } = this.#options
    const perEpoch = Math.ceil(task.train.size / batchSize)
    const steps = Math.min(maxSteps, epochs * perEpoch)
    const window = meter?.begin(`learn ${task.name}`)
    const start = performance.now()
    let samples = 0
    let energy: Energy | null = null
    let order: Int32Array = new Int32Array(0)
    this.model.train()
    try {
      for (let step = 0; step < steps; step++) {
        // A turn of the event loop now and then, so that an abort can be heard.
        if (step % 8 === 0) await new Promise((turn) => setImmediate(turn))
        signal?.throwIfAborted()
        const at = (step % perEpoch) * batchSize
        if (at === 0) order = this.#order.permutation(task.train.size)
        const { loss, size } = this.#step(batchOf(task.train, order.subarray(at, at + batchSize)), {
          task,
          step,
        })
        samples += size
        onProgress?.({ task: task.name, step: step + 1, steps, loss })
      }
      const context = this.#context()
      for (const strategy of this.#strategies) strategy.afterTask?.(task, context)
    } finally {
      this.model.eval()
      energy = window?.end() ?? null
    }
    return {
      seconds: (performance.now() - start) / 1000,
      samples,
      steps,
      joules: energy?.joules ?? null,
      energy,
    }
  }

  /** Counts a task as learnt before: strategies see its items and its end, the model stays as it is. */
  remember(task: Task): void {
    const { batchSize } = this.#options
    const context = this.#context()
    const order = this.#rng.permutation(task.train.size)
    for (let at = 0; at < order.length; at += batchSize) {
      const batch = batchOf(task.train, order.subarray(at, at + batchSize))
      for (const strategy of this.#strategies) strategy.afterStep?.(batch, context)
    }
    for (const strategy of this.#strategies) strategy.afterTask?.(task, context)
  }

  /** Mean score on the task's test items. */
  evaluate(task: Task): number {
    const { score = rightAnswers } = this.#options
    return this.#sumOfTest(task, (batch) => score(this.model, batch)) / task.test.size
  }

  /** Σ loss over all tasks' test items; null without a meter to set it against. */
  #heldOutNats(tasks: readonly Task[]): number | null {
    if (this.#options.meter === undefined) return null
    const ofTask = (task: Task): number =>
      this.#sumOfTest(task, (batch) => this.#loss(this.model, batch).item() * batch.size)
    return tasks.reduce((sum, task) => sum + ofTask(task), 0)
  }

  #sumOfTest({ test }: Task, measure: (batch: Batch) => number): number {
    const size = Math.max(this.#options.batchSize, 64)
    let total = 0
    for (let from = 0; from < test.size; from += size) {
      const items = Array.from({ length: Math.min(size, test.size - from) }, (_, index) => from + index)
      total += noGrad(() => scope(() => measure(batchOf(test, items))))
    }
    return total
  }

  #step(fresh: Batch, { task, step }: { task: Task; step: number }): { loss: number; size: number } {
    const context = this.#context()
    let batch = fresh
    for (const strategy of this.#strategies) batch = strategy.beforeStep?.(batch, context) ?? batch
    const loss = this.#loss(this.model, batch)
    const value = loss.item()
    if (!Number.isFinite(value)) {
      throw new BioError('ERR_BIO_DIVERGED', {
        operation: 'Learner.learn',
        expected: 'a loss that is a number',
        received: `${value} at step ${step} of task ${task.name}`,
        hint: 'Lower the learning rate.',
      })
    }
    loss.backward()
    this.#optimizer.step()
    this.#optimizer.zeroGrad()
    for (const strategy of this.#strategies) strategy.afterStep?.(fresh, context)
    return { loss: value, size: batch.size }
  }

  #context(): StrategyContext {
    return {
      model: this.model,
      loss: (batch) => this.#loss(this.model, batch),
      logits: this.#options.loss === undefined ? ({ x }) => classify(this.model, x) : undefined,
      learningRate: this.#optimizer.lr,
      rng: this.#rng,
    }
  }
}

function classify(model: Module, x: Tensor): Tensor {
  const { forward } = model as unknown as Partial<Classifier>
  if (forward !== undefined) return forward.call(model, x)
  throw new BioError('ERR_BIO_VALUE', {
    operation: 'Learner',
    expected: 'a model with forward(x)',
    received: model.constructor.name,
    hint: 'Give a loss and a score of your own.',
  })
}

/** How many items have their label's score on top. */
function rightAnswers(model: Module, { x, y, size }: Batch): number {
  const scores = classify(model, x)
  const [values, labels, classes] = [scores.data as Float32Array, y.data as Int32Array, scores.shape.at(-1)!]
  let right = 0
  for (let row = 0; row < size; row++) {
    let best = 0
    for (let c = 1; c < classes; c++) if (values[row * classes + c]! > values[row * classes + best]!) best = c
    if (best === labels[row]) right += 1
  }
  return right
}
