import { crossEntropy, noGrad, Rng, SGD, type Tensor } from '@bio/tensor'
import { expect, test } from 'vitest'
import { Mlp } from './__fixtures__/mlp.js'
import { clusters } from './__fixtures__/problems.js'
import { batchOf } from './data/dataset.js'
import { splitTasks } from './data/tasks.js'
import { Learner, type LearnerOptions, type Meter } from './learner.js'
import { replay } from './strategies/replay.js'
import type { Strategy } from './strategies/strategy.js'

const tasks = splitTasks(clusters({ classes: 4, dim: 8, items: 200, seed: 9 }), 2)

function make(
  options: Partial<LearnerOptions<Mlp>> = {},
  strategies: readonly Strategy[] = [],
  lr = 0.1,
): Learner<Mlp> {
  const model = new Mlp([8, 16, 4], new Rng(1))
  return new Learner(model, new SGD(model.parameters(), { lr }), strategies, {
    batchSize: 10,
    epochs: 2,
    ...options,
  })
}

const values = ({ model }: Learner<Mlp>): number[] =>
  model.parameters().flatMap((p: Tensor) => [...(p.data as Float32Array)])

test('the same seeds learn the same model, bit for bit', async () => {
  const run = async (): Promise<unknown> => {
    const learner = make({ rng: new Rng(5) }, [replay({ capacity: 30, seed: 2 })])
    return [(await learner.run(tasks)).accuracy, values(learner)]
  }
  expect(await run()).toEqual(await run())
})

test('a result has a row before learning and one after each task, and counts what was computed', async () => {
  const result = await make({}, [replay({ capacity: 30, batchSize: 5 })]).run(tasks)
  expect(result.accuracy.map((row) => row.length)).toEqual([2, 2, 2])
  expect(result.accuracy[1]![0]).toBeGreaterThan(0.95)
  expect(result.learningCost).toMatchObject({ steps: 40, joules: null })
  // 200 fresh items, twice, and 5 old ones in every step but the first.
  expect(result.learningCost.samples).toBe(400 + 39 * 5)
})

test('an abort is heard between two steps and leaves a model that works', async () => {
  const learner = make({ epochs: 1000 })
  const controller = new AbortController()
  let steps = 0
  const run = learner.learn(tasks[0]!, {
    signal: controller.signal,
    onProgress: ({ step }) => {
      steps = step
      if (step === 20) controller.abort(new Error('enough'))
    },
  })
  await expect(run).rejects.toThrow('enough')
  expect(steps).toBeLessThan(40)
  expect(values(learner).every(Number.isFinite)).toBe(true)
  expect(learner.evaluate(tasks[0]!)).toBeGreaterThan(0.9)
  expect(learner.model.training).toBe(false)
})

test('a diverging loss is an error that names task and step, and the meter is stopped all the same', async () => {
  const ended: string[] = []
  const meter: Meter = {
    begin: (label) => ({
      end() {
        ended.push(label)
        return { joules: 3 }
      },
    }),
  }
  const learner = make({ meter }, [], 1e30)
  await expect(learner.learn(tasks[0]!)).rejects.toMatchObject({
    code: 'ERR_BIO_DIVERGED',
    received: expect.stringMatching(/step \d+ of task 0–1/) as string,
  })
  expect(ended).toEqual(['learn 0–1'])
})

test('joules are those of the meter, and unknown for the whole if one task has none', async () => {
  const readings: (number | null)[] = [3, 4]
  const meter: Meter = { begin: () => ({ end: () => ({ joules: readings.shift()! }) }) }
  expect((await make({ meter }).run(tasks)).learningCost.joules).toBe(7)
  readings.push(3, null)
  expect((await make({ meter }).run(tasks)).learningCost.joules).toBeNull()
})

test('with a meter the readings are kept whole, and the loss on what is held out is taken before and after', async () => {
  const reading = { joules: 3, method: 'estimated' as const }
  const model = new Mlp([8, 16, 4], new Rng(1))
  const learner = new Learner(model, new SGD(model.parameters(), { lr: 0.1 }), [], {
    batchSize: 10,
    epochs: 2,
    meter: { begin: () => ({ end: () => reading }) },
  })
  // Σ over the test items, from the definition: −ln softmax at the label.
  const nats = (): number =>
    noGrad(() =>
      tasks.reduce((sum, { test: held }) => {
        const { x, y, size } = batchOf(held, [...Array(held.size).keys()])
        return sum + crossEntropy(model.forward(x), y).item() * size
      }, 0),
    )
  const before = nats()
  const result = await learner.run(tasks)
  expect(result.nats!.before).toBeCloseTo(before, 3)
  expect(result.nats!.after).toBeCloseTo(nats(), 3)
  expect(result.nats!.after).toBeLessThan(before)
  expect(result.costs.map(({ energy }) => energy?.method)).toEqual(['estimated', 'estimated'])
  expect((await make().run(tasks)).nats).toBeNull()
})

test('remembering a task shows it to the strategies and leaves the model as it is', async () => {
  let [items, ends] = [0, 0]
  const watcher: Strategy = {
    name: 'watcher',
    afterStep: (fresh) => void (items += fresh.size),
    afterTask: () => void (ends += 1),
  }
  const learner = make({}, [watcher])
  const before = values(learner)
  learner.remember(tasks[0]!)
  expect([items, ends]).toEqual([100, 1])
  expect(values(learner)).toEqual(before)
})

test('a model without forward needs a loss and a score, and says so', () => {
  const model = Object.assign(new Mlp([8, 4], new Rng(1)), { forward: undefined as never })
  const learner = new Learner(model, new SGD(model.parameters(), { lr: 0.1 }), [], {
    batchSize: 5,
    epochs: 1,
  })
  expect(() => learner.evaluate(tasks[0]!)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
  )
})

test.each([{ batchSize: 0 }, { batchSize: 1.5 }, { epochs: 0 }, { epochs: NaN }])(
  '%o is refused',
  (options) => {
    expect(() => make(options)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error)
  },
)
