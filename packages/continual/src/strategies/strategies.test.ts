import { Rng, SGD, tensor, type Tensor } from '@bio/tensor'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clusters } from '../__fixtures__/problems.js'
import { Mlp } from '../__fixtures__/mlp.js'
import { splitTasks } from '../data/tasks.js'
import { Learner } from '../learner.js'
import { ewc } from './ewc.js'
import { replay } from './replay.js'
import { Reservoir } from './reservoir.js'
import type { Strategy } from './strategy.js'

const problem = clusters({ classes: 6, dim: 10, items: 360, seed: 4 })
const tasks = splitTasks(problem, 3)

async function learn(strategies: readonly Strategy[], lr = 0.1) {
  const model = new Mlp([10, 32, 6], new Rng(1))
  const learner = new Learner(model, new SGD(model.parameters(), { lr }), strategies, {
    batchSize: 10,
    epochs: 6,
  })
  return { model, result: await learner.run(tasks) }
}

const values = (model: Mlp): number[] =>
  model.parameters().flatMap((p: Tensor) => [...(p.data as Float32Array)])

describe('ewc', () => {
  test('with λ = 0 it changes nothing at all', async () => {
    const [none, zero] = [await learn([]), await learn([ewc({ lambda: 0 })])]
    expect(values(zero.model)).toEqual(values(none.model))
  })

  test.each([1, 1e4, 1e8, 1e30])(
    'stays finite for λ = %d, and holds what matters closer to where it was',
    async (lambda) => {
      const { model, result } = await learn([ewc({ lambda })])
      expect(values(model).every(Number.isFinite)).toBe(true)
      const none = await learn([])
      if (lambda >= 1e4) expect(result.forgetting).toBeLessThan(none.result.forgetting)
    },
  )

  test('an infinitely strong hold keeps every parameter that matters on its anchor', () => {
    const model = new Mlp([10, 6], new Rng(1))
    const strategy = ewc({ lambda: 1e30 })
    const learner = new Learner(model, new SGD(model.parameters(), { lr: 1 }), [strategy], {
      batchSize: 10,
      epochs: 1,
    })
    learner.remember(tasks[0]!)
    const before = values(model)
    return learner.learn(tasks[1]!).then(() => {
      values(model).forEach((value, i) => expect(value).toBeCloseTo(before[i]!, 3))
    })
  })

  test.each([{ lambda: -1 }, { lambda: NaN }, { lambda: Infinity }, { lambda: 1, decay: -0.5 }])(
    '%o is refused',
    (options) => {
      expect(() => ewc(options)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error)
    },
  )
})

describe('replay', () => {
  test('forgets less than half of what naive training forgets', async () => {
    const [none, kept] = [await learn([]), await learn([replay({ capacity: 60 })])]
    expect(none.result.forgetting).toBeGreaterThan(0.5)
    expect(kept.result.forgetting).toBeLessThan(none.result.forgetting / 2)
  })
})

const numbers = (from: number, size: number) => ({
  x: tensor(Array.from({ length: size }, (_, i) => [from + i])),
  y: tensor(
    Array.from({ length: size }, (_, i) => from + i),
    { dtype: 'i32' },
  ),
  size,
})

describe('a reservoir', () => {
  test('keeps every item of a stream with the same probability, whatever the batches', () => {
    const [capacity, stream, runs] = [10, 40, 3000]
    const counts = new Float64Array(stream)
    for (let seed = 0; seed < runs; seed++) {
      const reservoir = new Reservoir(capacity, new Rng(seed))
      for (let at = 0; at < stream; at += 8) reservoir.add(numbers(at, 8))
      for (const item of reservoir.draw(capacity)!.y.data as Int32Array) counts[item]! += 1
    }
    const p = capacity / stream
    // Five standard deviations for each of the 40 items.
    for (const count of counts)
      expect(Math.abs(count / runs - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / runs))
  })

  test('draws different items, each with its own label, and never more than it holds', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 30 }),
        (seed, capacity, size, count) => {
          const reservoir = new Reservoir(capacity, new Rng(seed))
          expect(reservoir.draw(count)).toBeUndefined()
          reservoir.add(numbers(0, size))
          const { x, y, size: drawn } = reservoir.draw(count)!
          expect(drawn).toBe(Math.min(count, capacity, size))
          expect([...(x.data as Float32Array)]).toEqual([...(y.data as Int32Array)])
          expect(new Set(y.data as Int32Array).size).toBe(drawn)
          expect(reservoir.seen).toBe(size)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('keeps copies: what becomes of the batch afterwards is nothing to it', () => {
    const reservoir = new Reservoir(4, new Rng(0))
    const batch = numbers(0, 4)
    reservoir.add(batch)
    ;(batch.x.data as Float32Array).fill(NaN)
    expect([...(reservoir.draw(4)!.x.data as Float32Array)].toSorted()).toEqual([0, 1, 2, 3])
  })

  test.each([0, -1, 1.5, NaN])('a capacity of %d is refused', (capacity) => {
    expect(() => new Reservoir(capacity, new Rng(0))).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
    )
  })
})
