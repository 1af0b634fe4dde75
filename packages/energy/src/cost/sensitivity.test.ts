import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading } from '../reading/reading.js'
import { sensitivity } from './sensitivity.js'
import { costPerMillionTokens } from './token-cost.js'

const base = {
  dollarsPerHour: 2,
  utilisation: 0.5,
  joulesPerToken: 0.2,
  pue: 1.2,
  dollarsPerKilowattHour: 0.1,
}
const total = (inputs: typeof base): number =>
  costPerMillionTokens({
    hardware: { dollarsPerHour: inputs.dollarsPerHour, includesElectricity: false },
    tokensPerSecond: 2000,
    utilisation: inputs.utilisation,
    pue: inputs.pue,
    dollarsPerKilowattHour: inputs.dollarsPerKilowattHour,
    energyPerToken: createReading({
      joules: inputs.joulesPerToken,
      method: 'measured',
      source: 'nvml',
      seconds: 1,
    }),
  }).total!.expected

test('the input that moves the total most comes first, and each row is the total at the ends of its range', () => {
  const table = sensitivity({
    base,
    ranges: { pue: [1, 2], utilisation: [0.2, 1], joulesPerToken: [0.1, 0.4], dollarsPerHour: [1, 4] },
    total,
  })
  expect(table.rows.map(({ input }) => input)).toEqual([
    'utilisation',
    'dollarsPerHour',
    'joulesPerToken',
    'pue',
  ])
  expect(table.total).toBe(total(base))
  expect(table.rows[0]).toMatchObject({
    atLow: total({ ...base, utilisation: 0.2 }),
    atHigh: total({ ...base, utilisation: 1 }),
  })
})

test('of a weighted sum, swings are the weights times the ranges', () => {
  const weight = fc.double({ min: 0.1, max: 10, noNaN: true })
  fc.assert(
    fc.property(fc.array(fc.tuple(weight, weight, weight), { minLength: 1, maxLength: 8 }), (inputs) => {
      const names = inputs.map((_, index) => `x${index}`)
      const { rows } = sensitivity({
        base: Object.fromEntries(names.map((name) => [name, 5])),
        ranges: Object.fromEntries(
          inputs.map(([, below, above], index) => [names[index]!, [5 - below, 5 + above] as const]),
        ),
        total: (values) => inputs.reduce((sum, [weigh], index) => sum + weigh * values[names[index]!]!, 0),
      })
      for (const { input, swing } of rows) {
        const [weigh, below, above] = inputs[names.indexOf(input)]!
        expect(swing).toBeCloseTo(weigh * (below + above), 6)
      }
      expect(rows.map(({ swing }) => swing)).toEqual(rows.map(({ swing }) => swing).toSorted((a, b) => b - a))
    }),
  )
})

test.each<[string, () => unknown]>([
  ['a range that does not hold the base', () => sensitivity({ base, ranges: { pue: [1.3, 2] }, total })],
  ['a range the wrong way round', () => sensitivity({ base, ranges: { pue: [2, 1] }, total })],
  ['NaN in a range', () => sensitivity({ base, ranges: { pue: [Number.NaN, 2] }, total })],
  ['a range of no input', () => sensitivity({ base, ranges: { rent: [1, 2] } as never, total })],
  ['a total that is no number', () => sensitivity({ base, ranges: {}, total: () => Number.NaN })],
])('%s is refused', (_, act) => {
  expect(act).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
