import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading, unavailableReading } from '../reading/reading.js'
import { ActionInformation } from './action-information.js'
import { entropyBits, surprisalBits } from './entropy.js'
import { learningCost, type LearningCostOptions } from './learning-cost.js'

const energy = createReading({
  joules: 40,
  low: 10,
  high: 160,
  method: 'estimated',
  source: 'cpu-time',
  seconds: 2,
  boundary: 'process',
})
const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
const refusal = expect.objectContaining({ code: 'ERR_BIO_VALUE' })

test('entropy is that of the definition: 0 for a certain draw, log₂ n for a uniform one, at most that for any', () => {
  expect(entropyBits([0, 1, 0])).toBe(0)
  expect(entropyBits(new Float32Array(1000).fill(1 / 1000))).toBeCloseTo(Math.log2(1000), 4)
  const weights = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(
      weights.filter((values) => values.some((value) => value > 1e-3)),
      (values) => {
        const sum = values.reduce((all, value) => all + value, 0)
        const probabilities = values.map((value) => value / sum)
        const bits = entropyBits(probabilities)
        expect(bits).toBeGreaterThanOrEqual(0)
        expect(bits).toBeLessThanOrEqual(Math.log2(values.length) + 1e-9)
        // The mean surprisal of the draws is the entropy.
        const mean = probabilities.reduce(
          (all, p) => (p > 0 ? all + p * surprisalBits(Math.min(1, p)) : all),
          0,
        )
        expect(bits).toBeCloseTo(mean, 9)
      },
    ),
  )
})

test('bits are counted per stream and in sum, and joules per bit keep their method and bounds', () => {
  const actions = new ActionInformation()
  for (const stream of ['a', 'b']) actions.add({ entropyBits: 3, surprisalBits: 1, stream })
  actions.add({ entropyBits: 2, surprisalBits: 4, stream: 'a' })
  const report = actions.report({ seconds: 2, energy, inputBits: 800 })
  expect(report).toMatchObject({
    actions: 3,
    entropyBits: 8,
    surprisalBits: 6,
    bitsPerSecond: 4,
    compression: 100,
    joulesPerBit: { joules: 5, low: 1.25, high: 20, method: 'estimated' },
    boundary: 'process',
  })
  expect(report.streams.map(({ stream, bitsPerSecond }) => [stream, bitsPerSecond])).toEqual([
    ['a', 2.5],
    ['b', 1.5],
  ])
  expect(report.conventions.join()).toContain('boundary process, estimated')
})

test('greedy actions decide nothing: no choice, never an infinite price; their surprisal is still there', () => {
  const actions = new ActionInformation()
  actions.add({ entropyBits: 0, surprisalBits: 2 })
  const report = actions.report({ seconds: 1, energy, inputBits: 8 })
  expect(report).toMatchObject({
    bitsPerSecond: 0,
    surprisalBits: 2,
    compression: 'no choice',
    joulesPerBit: 'no choice',
  })
  expect(new ActionInformation().report({ seconds: 1, energy })).toMatchObject({
    actions: 0,
    compression: null,
  })
})

test('an action without surprisal leaves the sum unknown', () => {
  const actions = new ActionInformation()
  actions.add({ entropyBits: 1, surprisalBits: 2 })
  actions.add({ entropyBits: 1 })
  expect(actions.report({ seconds: 1, energy }).surprisalBits).toBeNull()
})

test('unknown energy makes the price unknown, not zero', () => {
  const actions = new ActionInformation()
  actions.add({ entropyBits: 1 })
  expect(actions.report({ seconds: 1, energy: unknown }).joulesPerBit).toMatchObject({
    joules: null,
    reasons: ['EACCES'],
  })
  expect(
    learningCost({ protocol: 'held-out', before: 2, after: 1, energy: unknown }).joulesPerBit,
  ).toMatchObject({
    joules: null,
  })
})

test('learning costs joules per bit, net of what was forgotten', () => {
  const cost = learningCost({
    protocol: 'prequential',
    before: 100 * Math.LN2,
    after: 70 * Math.LN2,
    forgotten: 10 * Math.LN2,
    energy,
  })
  expect(cost.bits).toBeCloseTo(20, 12)
  expect(cost.joulesPerBit).toMatchObject({
    joules: expect.closeTo(2, 9),
    low: expect.closeTo(0.5, 9),
    high: expect.closeTo(8, 9),
  })
  expect(cost.conventions.join()).toContain('prequential')
})

test('whatever the losses, the price is positive and finite, or no learning', () => {
  const nats = fc.double({ min: -1e9, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(nats, nats, nats, (before, after, forgotten) => {
      const { bits, joulesPerBit } = learningCost({ protocol: 'held-out', before, after, forgotten, energy })
      if (bits <= 0) expect(joulesPerBit).toBe('no learning')
      if (joulesPerBit === 'no learning') return
      expect(joulesPerBit.joules).toBeGreaterThan(0)
      expect(joulesPerBit.high).toBeLessThan(Infinity)
    }),
  )
})

test.each<[string, () => unknown]>([
  ['a probability below 0', () => entropyBits([1.5, -0.5])],
  ['a NaN probability', () => entropyBits([Number.NaN, 1])],
  ['logits', () => entropyBits([3, 4])],
  ['no probabilities', () => entropyBits([])],
  ['an impossible action', () => surprisalBits(0)],
  ['a probability above 1', () => surprisalBits(1.1)],
  ['negative bits', () => new ActionInformation().add({ entropyBits: -1 })],
  ['NaN surprisal', () => new ActionInformation().add({ entropyBits: 1, surprisalBits: Number.NaN })],
  ['no time', () => new ActionInformation().report({ seconds: 0, energy })],
  ['negative input', () => new ActionInformation().report({ seconds: 1, energy, inputBits: -1 })],
  ['a loss of NaN', () => learningCost({ protocol: 'held-out', before: Number.NaN, after: 1, energy })],
  [
    'a difference beyond numbers',
    () => learningCost({ protocol: 'held-out', before: 1e308, after: -1e308, energy }),
  ],
  [
    'another protocol',
    () => learningCost({ protocol: 'x' as LearningCostOptions['protocol'], before: 1, after: 1, energy }),
  ],
])('%s is refused', (_, act) => {
  expect(act).toThrow(refusal)
})
