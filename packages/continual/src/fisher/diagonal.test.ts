import { crossEntropy, Embedding, Linear, Module, Rng, type Tensor } from '@bio/tensor'
import { expect, test } from 'vitest'
import { clusters } from '../__fixtures__/problems.js'
import { Mlp } from '../__fixtures__/mlp.js'
import { batchOf, dataset, type Dataset } from '../data/dataset.js'
import type { StrategyContext } from '../strategies/strategy.js'
import { fisherDiagonal, type FisherKind } from './diagonal.js'

type Scorer = Module & { forward(x: Tensor): Tensor }

function contextOf(model: Scorer, seed = 3): StrategyContext {
  return {
    model,
    loss: ({ x, y }) => crossEntropy(model.forward(x), y),
    logits: ({ x }) => model.forward(x),
    learningRate: 0.1,
    rng: new Rng(seed),
  }
}

/** F by its definition, in f64: for each item and class, the gradient of log p(c|x) alone, squared and weighted. */
function naive(model: Scorer, data: Dataset, kind: 'exact' | 'empirical'): Float64Array[] {
  const parameters = model.parameters()
  const sums = parameters.map(({ size }) => new Float64Array(size))
  for (let item = 0; item < data.size; item++) {
    const { x, y } = batchOf(data, [item])
    const probabilities = model.forward(x).softmax().detach().data as Float32Array
    for (let c = 0; c < probabilities.length; c++) {
      if (kind === 'empirical' && c !== (y.data as Int32Array)[0]) continue
      const target = dataset({ x: data.x, y: new Int32Array(data.size).fill(c), xShape: data.xShape })
      crossEntropy(model.forward(x), batchOf(target, [item]).y).backward()
      const weight = kind === 'exact' ? probabilities[c]! : 1
      parameters.forEach((parameter, index) => {
        const gradient = parameter.grad!.data as Float32Array
        gradient.forEach((g, i) => (sums[index]![i]! += (weight * g * g) / data.size))
      })
      model.zeroGrad()
    }
  }
  return sums
}

function expectEqual(model: Scorer, found: Map<Tensor, Float32Array>, truth: readonly Float64Array[]): void {
  model.parameters().forEach((parameter, index) => {
    const [values, exact] = [found.get(parameter)!, truth[index]!]
    const size = Math.max(...exact)
    expect(size).toBeGreaterThan(0)
    values.forEach((value, i) => expect(Math.abs(value - exact[i]!)).toBeLessThanOrEqual(2e-5 * size))
  })
}

const { train } = clusters({ classes: 5, dim: 7, items: 150, seed: 1 }) // more than one batch of items, the last one smaller

test.each(['exact', 'empirical'] as const)(
  'the %s Fisher is the mean of squared per-item gradients',
  (kind) => {
    const model = new Mlp([7, 11, 9, 5], new Rng(2))
    expectEqual(model, fisherDiagonal(contextOf(model), train, { kind }), naive(model, train, kind))
  },
)

test('it is not the square of the mean gradient, which is far smaller', () => {
  const model = new Mlp([7, 11, 5], new Rng(2))
  const found = fisherDiagonal(contextOf(model), train, { kind: 'empirical' })
  const { x, y } = batchOf(train, [...train.y.keys()])
  crossEntropy(model.forward(x), y).backward()
  const sum = (values: Float32Array): number => values.reduce((all, value) => all + value, 0)
  const [first] = model.parameters()
  const ofMean = sum((first!.grad!.data as Float32Array).map((g) => g * g))
  expect(sum(found.get(first!)!)).toBeGreaterThan(5 * ofMean)
})

test('sampling classes from the model agrees with the exact Fisher on average', () => {
  const model = new Mlp([7, 5], new Rng(2))
  const exact = fisherDiagonal(contextOf(model), train, { kind: 'exact' })
  const [weight] = model.parameters()
  const mean = new Float64Array(weight!.size)
  const draws = 60
  for (let seed = 0; seed < draws; seed++) {
    const found = fisherDiagonal(contextOf(model, seed), train, { kind: 'sampled' }).get(weight!)!
    found.forEach((value, i) => (mean[i]! += value / draws))
  }
  const sum = (values: Iterable<number>): number => [...values].reduce((all, value) => all + value, 0)
  expect(sum(mean) / sum(exact.get(weight!)!)).toBeCloseTo(1, 1)
})

/** A layer used twice, an embedding, and a weight that two layers share. */
class Shared extends Module {
  readonly table = new Embedding(12, 6, { rng: new Rng(1) })
  readonly twice = new Linear(6, 6, { rng: new Rng(2) })
  readonly one = new Linear(6, 6, { bias: false, rng: new Rng(3) })
  readonly tied: { weight: Tensor } & Module = Object.assign(
    new Linear(6, 6, { bias: false, rng: new Rng(4) }),
    {
      weight: this.one.weight,
    },
  )
  readonly head = new Linear(6, 5, { rng: new Rng(5) })

  forward(ids: Tensor): Tensor {
    const start = this.twice.forward(this.twice.forward(this.table.forward(ids)).relu())
    return this.head.forward((this.tied as unknown as Linear).forward(this.one.forward(start).relu()))
  }
}

test('what is used twice, tied or no linear layer is done item by item', () => {
  const ids = dataset({
    x: Int32Array.from({ length: 30 }, (_, i) => (i * 7) % 12),
    y: Int32Array.from({ length: 30 }, (_, i) => i % 5),
    xShape: [],
  })
  const model = new Shared()
  for (const kind of ['exact', 'empirical'] as const)
    expectEqual(model, fisherDiagonal(contextOf(model), ids, { kind }), naive(model, ids, kind))
})

test('it leaves no gradient behind, and looks only at as many items as asked', () => {
  const model = new Mlp([7, 5], new Rng(2))
  let items = 0
  const context = contextOf(model)
  const logits = (batch: Parameters<NonNullable<StrategyContext['logits']>>[0]): Tensor => {
    items += batch.size
    return context.logits!(batch)
  }
  fisherDiagonal({ ...context, logits }, train, { kind: 'sampled', samples: 20 })
  expect(items).toBe(20)
  expect(model.parameters().every(({ grad }) => grad === undefined || grad === null)).toBe(true)
})

test.each(['exact', 'sampled'] satisfies FisherKind[])(
  '%s needs class scores, and says what to do',
  (kind) => {
    const model = new Mlp([7, 5], new Rng(2))
    expect(() => fisherDiagonal({ ...contextOf(model), logits: undefined }, train, { kind })).toThrow(
      expect.objectContaining({
        code: 'ERR_BIO_VALUE',
        hint: expect.stringContaining('empirical') as string,
      }) as Error,
    )
  },
)
