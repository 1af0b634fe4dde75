import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logSumExp } from '../router/log-sum-exp.js'
import { routerEntropy } from './router-entropy.js'

const experts = 4
const rows = fc
  .array(fc.array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: experts, maxLength: experts }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((values) => Float32Array.from(values.flat()))

/** Softmax in f64, rounded. */
function softmax(logits: Float32Array): Float32Array {
  return logits.map((value, i) => {
    const row = logits.subarray(i - (i % experts), i - (i % experts) + experts)
    return Math.exp(value) / row.reduce((sum, other) => sum + Math.exp(other), 0)
  })
}

test('logSumExp and the entropy are what their formulas say', () => {
  fc.assert(
    fc.property(rows, (logits) => {
      const probabilities = softmax(logits)
      const tokens = logits.length / experts
      const found = logSumExp(logits, probabilities, experts)
      for (let token = 0; token < tokens; token++) {
        const row = logits.subarray(token * experts, (token + 1) * experts)
        expect(found[token]).toBeCloseTo(Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)), 5)
      }
      const entropy = probabilities.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0) / tokens
      expect(routerEntropy(logits, probabilities, experts)).toBeCloseTo(entropy, 4)
    }),
  )
})

test('a router without opinion has the entropy log(experts)', () => {
  const [logits, probabilities] = [new Float32Array(8), new Float32Array(8).fill(0.25)]
  expect(routerEntropy(logits, probabilities, 4)).toBeCloseTo(Math.log(4), 12)
})
