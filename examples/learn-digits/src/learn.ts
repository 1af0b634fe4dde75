import {
  ewc,
  Learner,
  replay,
  splitTasks,
  type Dataset,
  type LearningResult,
  type Strategy,
} from '@bio/continual'
import { Linear, Module, Rng, SGD, type Tensor } from '@bio/tensor'

class Classifier extends Module {
  readonly first: Linear
  readonly second: Linear
  readonly head: Linear

  constructor(classes: number, rng: Rng) {
    super()
    this.first = new Linear(64, 100, { rng })
    this.second = new Linear(100, 100, { rng })
    this.head = new Linear(100, classes, { rng })
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.second.forward(this.first.forward(x).relu()).relu())
  }
}

/** Learns two digits after two digits with one head of ten, which is never told which pair it sees. */
export async function learnDigits(
  digits: { train: Dataset; test: Dataset },
  strategies: readonly Strategy[],
  { seed, tasks = 5, epochs = 5 }: { seed: number; tasks?: number; epochs?: number },
): Promise<LearningResult> {
  const model = new Classifier(10, new Rng(seed))
  const optimizer = new SGD(model.parameters(), { lr: 0.03 })
  const learner = new Learner(model, optimizer, strategies, { batchSize: 10, epochs, rng: new Rng(seed, 1) })
  return learner.run(splitTasks(digits, tasks))
}

/** The ways that the example compares; a strategy remembers, so each run takes new ones. */
export const ways: Readonly<Record<string, (seed: number) => readonly Strategy[]>> = {
  nothing: () => [],
  'EWC, λ = 100': () => [ewc({ lambda: 100 })],
  'replay of 200': (seed) => [replay({ capacity: 200, seed })],
  'replay of 500': (seed) => [replay({ capacity: 500, seed })],
}
