import { expect, test } from 'vitest'
import { checkSampling, probabilities, sample, type Sampling } from './sampling.js'

const logits = Float32Array.of(0, 2, 1, 2, -3)

test('temperature 0 takes the likeliest, the lower id of equals', () => {
  expect(sample(logits, { temperature: 0 }, 0)).toBe(1)
})

test('a draw depends on the seed and its number alone', () => {
  const draws = (seed: number): number[] => Array.from({ length: 50 }, (_, n) => sample(logits, { seed }, n))
  expect(draws(7)).toEqual(draws(7))
  expect(draws(7)).not.toEqual(draws(8))
})

test('frequencies are the softmax at that temperature', () => {
  const counts = new Float64Array(5)
  const [temperature, total] = [0.7, 20_000]
  for (let n = 0; n < total; n++) counts[sample(logits, { temperature, seed: 1 }, n)]! += 1
  const weights = Array.from(logits, (x) => Math.exp(x / temperature))
  const sum = weights.reduce((a, b) => a + b)
  // Five standard deviations.
  weights.forEach((weight, id) => {
    const p = weight / sum
    expect(Math.abs(counts[id]! / total - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / total) + 1e-9)
  })
})

test('topK and topP keep only the likeliest', () => {
  for (let n = 0; n < 500; n++) {
    expect([1, 3]).toContain(sample(logits, { topK: 2 }, n))
    expect([1, 3]).toContain(sample(logits, { topP: 0.7 }, n))
    expect(sample(logits, { topP: 1e-9 }, n)).toBe(1)
  }
})

test.each<Sampling>([
  {},
  { temperature: 0.5 },
  { topK: 3 },
  { topP: 0.8 },
  { topK: 4, topP: 0.9, temperature: 2 },
  { temperature: 0 },
])('%o is drawn from the probabilities that are told', (sampling) => {
  const told = probabilities(logits, sampling)
  expect(told.reduce((a, b) => a + b)).toBeCloseTo(1, 12)
  const total = 5000
  const counts = new Float64Array(5)
  for (let n = 0; n < total; n++) counts[sample(logits, { ...sampling, seed: 3 }, n)]! += 1
  // Five standard deviations.
  told.forEach((p, id) => {
    expect(Math.abs(counts[id]! / total - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / total) + 1e-9)
  })
})

test('NaN among the logits is refused, not drawn', () => {
  expect(() => probabilities(Float32Array.of(1, NaN), {})).toThrow('logits that are numbers')
  expect(() => sample(Float32Array.of(1, NaN), { temperature: 0 }, 0)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
  )
})

test.each([
  { temperature: -1 },
  { temperature: NaN },
  { topP: 0 },
  { topP: 1.1 },
  { topK: 0 },
  { topK: 1.5 },
  { seed: 0.5 },
])('%o is refused', (sampling) => {
  expect(() => checkSampling(sampling)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error)
})
