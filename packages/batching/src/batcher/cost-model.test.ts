import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CostModel } from './cost-model.js'

function learnt(runs: readonly (readonly [cost: number, ms: number])[]): CostModel {
  const model = new CostModel()
  for (const [cost, ms] of runs) model.learn(cost, ms)
  return model
}

test('before the first run nothing is known, and nothing is predicted', () => {
  expect(new CostModel()).toMatchObject({ fixedMs: 0, msPerCost: 0 })
  expect(new CostModel().predictHigh(32)).toBe(0)
})

test('finds the fixed and the variable part of noiseless runs', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 10, noNaN: true }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (a, b) => {
        const model = learnt(
          Array.from({ length: 60 }, (_, run) => [1 + (run % 32), a * (1 + (run % 32)) + b]),
        )
        for (const cost of [1, 16, 32])
          expect(Math.abs(model.predict(cost) - (a * cost + b))).toBeLessThan(0.05 * (16 * a + b))
        expect(Math.abs(model.fixedMs - b)).toBeLessThan(0.05 * (16 * a + b))
      },
    ),
  )
})

test('runs of one size are predicted exactly, and half of them is taken for fixed', () => {
  const model = learnt(Array.from({ length: 10 }, () => [4, 20]))
  expect(model.predict(4)).toBeCloseTo(20, 9)
  expect(model.fixedMs).toBeCloseTo(10, 9)
})

test('the first run, which warms up, is forgotten as soon as there is a second', () => {
  expect(learnt([[1, 500]]).predict(1)).toBe(500)
  expect(
    learnt([
      [1, 500],
      [1, 5],
    ]).predict(1),
  ).toBeCloseTo(5, 9) // prettier
})

test('a machine that became slower is believed after some runs', () => {
  const model = learnt([
    ...Array.from({ length: 50 }, (_, run) => [1 + (run % 8), 5] as const),
    ...Array.from({ length: 60 }, (_, run) => [1 + (run % 8), 50] as const),
  ])
  expect(model.predict(4)).toBeGreaterThan(45)
})

test('a small run that the machine held up does not make all sizes look alike', () => {
  const usual = Array.from(
    { length: 40 },
    (_, run) => [8 + 8 * (run % 4), 1 + 0.1 * (8 + 8 * (run % 4))] as const,
  )
  const model = learnt([...usual, [1, 100], [32, 4.2]])
  expect(model.predict(32) / model.predict(8)).toBeGreaterThan(1.8) // 2.33 without it
})

test('whatever was measured, no part is negative and no prediction is NaN', () => {
  const run = fc.tuple(
    fc.double({ min: 0, max: 1e6, noNaN: true }),
    fc.double({ min: 0, max: 1e6, noNaN: true }),
  )
  fc.assert(
    fc.property(fc.array(run, { maxLength: 30 }), (runs) => {
      const model = learnt(runs)
      expect(model.msPerCost).toBeGreaterThanOrEqual(0)
      expect(model.fixedMs).toBeGreaterThanOrEqual(-1e-6)
      expect(model.predictHigh(3)).toBeGreaterThanOrEqual(0)
    }),
  )
})
