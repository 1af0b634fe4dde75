import { expect, test } from 'vitest'
import { exitLoss } from './exit-loss.js'

interface Value {
  readonly x: number
  mul(factor: number): Value
  add(other: Value): Value
}
const value = (x: number): Value => ({
  x,
  mul: (factor) => value(x * factor),
  add: (other) => value(x + other.x),
})

test('deeper exits weigh more, and the weights add up to one', () => {
  expect(exitLoss([value(1), value(1), value(1)]).x).toBeCloseTo(1, 12)
  expect(exitLoss([value(6), value(0), value(0)]).x).toBeCloseTo(1, 12)
  expect(exitLoss([value(0), value(0), value(6)]).x).toBeCloseTo(3, 12)
})

test('given weights and distillation are added as the formula says', () => {
  const losses = [value(1), value(2), value(3)]
  const distillation = { divergences: [value(10), value(30)], weight: 0.5 }
  expect(exitLoss(losses, { weights: [1, 1, 2], distillation }).x).toBeCloseTo(9 + 0.5 * 20, 12)
})

test('no losses, and other counts, are refused', () => {
  const refusal = expect.objectContaining({ code: 'ERR_BIO_CONFIG' })
  expect(() => exitLoss([])).toThrow(refusal)
  expect(() => exitLoss([value(1)], { weights: [1, 2] })).toThrow(refusal)
  expect(() => exitLoss([value(1)], { distillation: { divergences: [value(1)], weight: 1 } })).toThrow(
    refusal,
  )
})
