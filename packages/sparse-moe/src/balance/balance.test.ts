import fc from 'fast-check'
import { expect, test } from 'vitest'
import { importanceLoss } from './importance-loss.js'
import { noBalance } from './no-balance.js'
import { switchLoss } from './switch-loss.js'

const share = fc
  .array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 })
  .map((values) => Float64Array.from(values, (value) => value / values.reduce((a, b) => a + b)))
const flat = new Float64Array(4).fill(0.25)

test.each([
  ['switchLoss', switchLoss({ alpha: 0.5 })],
  ['importanceLoss', importanceLoss({ alpha: 0.5 })],
])('%s is alpha at balance, and its gradient is that of its value', (_, balance) => {
  expect(balance.evaluate(flat, flat).loss).toBe(0.5)
  fc.assert(
    fc.property(share, share, fc.nat(3), (meanProbability, load, expert) => {
      const moved = (step: number): number => {
        const values = meanProbability.slice()
        values[expert]! += step
        return balance.evaluate(values, load).loss
      }
      const { gradient } = balance.evaluate(meanProbability, load)
      expect(gradient[expert]).toBeCloseTo((moved(1e-4) - moved(-1e-4)) / 2e-4, 8)
    }),
  )
})

test('importanceLoss is at least alpha, and at alpha whatever the load if probabilities are flat', () => {
  const balance = importanceLoss({ alpha: 1 })
  fc.assert(
    fc.property(share, share, (meanProbability, load) => {
      expect(balance.evaluate(meanProbability, load).loss).toBeGreaterThanOrEqual(1 - 1e-12)
      expect(balance.evaluate(flat, load).loss).toBe(1)
    }),
  )
})

test('switchLoss pushes hardest against the busiest expert', () => {
  const { gradient } = switchLoss({ alpha: 0.01 }).evaluate(flat, Float64Array.of(0.5, 0.5, 0, 0))
  expect([...gradient]).toEqual([0.02, 0.02, 0, 0])
})

test('noBalance asks for nothing', () => {
  expect(noBalance().evaluate(flat, flat)).toEqual({ loss: 0, gradient: new Float64Array(4) })
})

test.each([NaN, -1, Infinity])('alpha = %s is refused', (alpha) => {
  for (const make of [switchLoss, importanceLoss]) {
    expect(() => make({ alpha })).toThrowError(expect.objectContaining({ code: 'ERR_BIO_CONFIG' }))
  }
})
