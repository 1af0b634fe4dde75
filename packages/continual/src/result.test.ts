import { expect, test } from 'vitest'
import { LearningResult, type LearningCost } from './result.js'

const cost: LearningCost = { seconds: 2, samples: 10, steps: 5, joules: 4, energy: { joules: 4 } }
const costs = [cost, cost, cost]
const accuracy = [
  [0.1, 0.2, 0.3], // before anything
  [0.9, 0.3, 0.3],
  [0.6, 0.8, 0.5],
  [0.5, 0.9, 0.7],
]
const result = new LearningResult({ names: ['a', 'b', 'c'], accuracy, costs })

test('the measures of a matrix are those of their formulas', () => {
  expect(result.averageAccuracy).toBeCloseTo((0.5 + 0.9 + 0.7) / 3, 12)
  expect(result.backwardTransfer).toBeCloseTo((0.5 - 0.9 + (0.9 - 0.8)) / 2, 12)
  expect(result.forgetting).toBeCloseTo((0.9 - 0.5 + 0) / 2, 12)
  expect(result.forwardTransfer).toBeCloseTo((0.3 - 0.2 + (0.5 - 0.3)) / 2, 12)
  expect(result.learningCost).toEqual({ seconds: 6, samples: 30, steps: 15, joules: 12 })
})

test('one task alone neither forgets nor transfers', () => {
  const one = new LearningResult({ names: ['a'], accuracy: [[0.1], [0.9]], costs: [cost] })
  expect([one.forgetting, one.backwardTransfer, one.forwardTransfer]).toEqual([0, 0, 0])
})

test('it prints as a table', () => {
  expect(
    String(result)
      .split('\n')
      .map((line) => line.trimEnd()),
  ).toEqual([
    '                a       b       c',
    'untrained   0.100   0.200   0.300',
    '+ a         0.900   0.300   0.300',
    '+ b         0.600   0.800   0.500',
    '+ c         0.500   0.900   0.700',
  ])
})

test('a matrix of another shape is refused', () => {
  expect(() => new LearningResult({ names: ['a', 'b'], accuracy, costs })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error,
  )
})
