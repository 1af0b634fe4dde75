import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createReading, unavailableReading } from '../reading/reading.js'
import { EnergyModel, type EnergySample } from './energy-model.js'
import { nonNegativeLeastSquares } from './non-negative-least-squares.js'

const truth = { watts: 20, joulesPerByte: 2e-10, joulesPerFlop: 4e-12 }

/** A sample of the true model, its energy off by `error` (0.1 is a tenth too much). */
function sample(seconds: number, bytes: number, flops: number, error = 0): EnergySample {
  const exact = truth.watts * seconds + truth.joulesPerByte * bytes + truth.joulesPerFlop * flops
  const energy = createReading({ joules: exact * (1 + error), method: 'measured', source: 'rapl', seconds })
  return { seconds, bytes, flops, energy }
}

/** Sleep, stream, arithmetic and a mixture, each at three lengths. */
const samples = (error: () => number = () => 0): EnergySample[] =>
  [1, 2, 3].flatMap((seconds) => [
    sample(seconds, 0, 0, error()),
    sample(seconds, 2e10 * seconds, 1e9 * seconds, error()),
    sample(seconds, 0, 5e12 * seconds, error()),
    sample(seconds, 1e10 * seconds, 2.5e12 * seconds, error()),
  ])

/** Uniform in [−1, 1), the same every time. */
function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return (state / 2 ** 32) * 2 - 1
  }
}

test('exact samples give the coefficients back, and predictions without a band', () => {
  const model = new EnergyModel(samples())
  expect(model.watts).toBeCloseTo(truth.watts, 8)
  expect(model.joulesPerByte / truth.joulesPerByte).toBeCloseTo(1, 8)
  expect(model.joulesPerFlop / truth.joulesPerFlop).toBeCloseTo(1, 8)
  expect(model.leaveOneOutError).toBeLessThan(1e-9)
  const reading = model.predict({ seconds: 0.5, bytes: 1e9, flops: 1e12 })
  expect(reading.joules).toBeCloseTo(10 + 0.2 + 4, 8)
  expect(reading).toMatchObject({ method: 'estimated', source: 'energy-model', seconds: 0.5 })
  expect(reading.high! - reading.low!).toBeLessThan(1e-7)
})

test('x ≥ 0 fulfils the conditions of the minimum: no gradient where x > 0, none below 0 where x = 0', () => {
  const entry = fc.double({ min: -10, max: 10, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.tuple(entry, entry, entry), entry), { minLength: 3, maxLength: 12 }),
      (equations) => {
        const rows = equations.map(([row]) => row)
        const targets = equations.map(([, target]) => target)
        const x = nonNegativeLeastSquares(rows, targets)
        const error = rows.map(
          (row, index) => row.reduce((sum, a, j) => sum + a * x[j]!, 0) - targets[index]!,
        )
        const size = Math.max(1, ...error.map(Math.abs)) * rows.length
        x.forEach((value, column) => {
          const length = Math.max(1e-6, Math.sqrt(rows.reduce((sum, row) => sum + row[column]! ** 2, 0)))
          const gradient = rows.reduce((sum, row, index) => sum + row[column]! * error[index]!, 0) / length
          expect(value).toBeGreaterThanOrEqual(0)
          expect(gradient).toBeGreaterThanOrEqual(-1e-6 * size)
          // Where columns are almost dependent the solution may stay at 0: the error is then as small without it.
          if (value > 0) expect(Math.abs(gradient)).toBeLessThanOrEqual(1e-6 * size)
        })
      },
    ),
    { numRuns: 500 },
  )
})

test('residuals and the leave-one-out error are those of the definition', () => {
  const random = noise(3)
  const all = samples(() => 0.1 * random())
  const model = new EnergyModel(all)
  const relative = (fitted: EnergyModel, { energy, ...work }: EnergySample): number =>
    fitted.predict(work).joules! / energy.joules! - 1
  all.forEach((each, index) => {
    expect(model.residuals[index]).toBeCloseTo(relative(model, each), 12)
    const others = new EnergyModel(all.filter((_, other) => other !== index))
    expect(model.leftOut[index]).toBeCloseTo(relative(others, each), 12)
  })
  const absolute = model.leftOut.map(Math.abs)
  expect(model.leaveOneOutError).toBeCloseTo(absolute.reduce((sum, value) => sum + value, 0) / all.length, 12)
})

test('the band holds at least 80 % of new work that is as noisy as 12 samples were, and says so: (n − 1)/(n + 1) is 85 %', () => {
  const random = noise(5)
  let inside = 0
  const trials = 500
  for (let trial = 0; trial < trials; trial++) {
    const model = new EnergyModel(samples(() => 0.2 * random()))
    const { energy, ...work } = sample(
      1 + random() / 2,
      1e10 * (1 + random()),
      2e12 * (1 + random()),
      0.2 * random(),
    )
    const { low, high } = model.predict(work)
    if (low! <= energy.joules! && energy.joules! <= high!) inside += 1
  }
  expect(inside / trials).toBeGreaterThan(0.8)
})

test('the bounds of the samples are in the band', () => {
  const wide = samples().map(({ energy, ...rest }) => ({
    ...rest,
    energy: createReading({
      ...energy,
      low: energy.joules! / 3,
      high: energy.joules! * 4,
      method: 'estimated',
      reasons: ['a model'],
    }),
  }))
  const { joules, low, high, reasons } = new EnergyModel(wide).predict({ seconds: 1, bytes: 0, flops: 0 })
  expect([low! / joules!, high! / joules!]).toEqual([expect.closeTo(1 / 3, 6), expect.closeTo(4, 6)])
  expect(reasons.join()).toContain('a model')
})

test('without seconds, a roofline from the best rates predicts them', () => {
  const model = new EnergyModel(samples())
  expect([model.bytesPerSecond, model.flopsPerSecond]).toEqual([2e10, 5e12])
  // 4 s of reading against 2 s of arithmetic; of the samples that did anything, the mixture took twice its roof.
  const reading = model.predict({ bytes: 8e10, flops: 1e13 })
  expect(reading.seconds).toBeCloseTo(4, 9)
  expect(reading.joules).toBeCloseTo(20 * 4 + 16 + 40, 6)
  expect(reading.high).toBeCloseTo(20 * 8 + 16 + 40, 6)
  expect(reading.reasons.join()).toContain('its time was predicted too')
  expect(model.predict({ bytes: 0, flops: 0 })).toMatchObject({ joules: 0, seconds: 0 })
})

test('work of a kind that no sample did needs its seconds', () => {
  const model = new EnergyModel(
    [1, 2, 3, 4].flatMap((seconds) => [sample(seconds, 0, 0), sample(seconds, 1e9, 0)]),
  )
  expect(() => model.predict({ bytes: 0, flops: 5 })).toThrow(
    'seconds of work with flops, which no sample had',
  )
  expect(model.predict({ bytes: 0, flops: 5, seconds: 1 }).joules).toBeCloseTo(20, 6)
})

const unknown = unavailableReading({ source: 'rapl', seconds: 1, reasons: ['EACCES'] })
test.each<[string, () => unknown, string]>([
  ['three samples', () => new EnergyModel(samples().slice(0, 3)), 'ERR_BIO_VALUE'],
  ['no samples', () => new EnergyModel(undefined as never), 'ERR_BIO_VALUE'],
  [
    'unknown energy',
    () => new EnergyModel([...samples(), { seconds: 1, bytes: 0, flops: 0, energy: unknown }]),
    'ERR_BIO_ENERGY_UNKNOWN',
  ],
  [
    'energy of 0',
    () =>
      new EnergyModel([
        ...samples(),
        {
          ...samples()[0]!,
          energy: createReading({ joules: 0, method: 'measured', source: 'x', seconds: 1 }),
        },
      ]),
    'ERR_BIO_VALUE',
  ],
  [
    'NaN bytes',
    () => new EnergyModel([...samples(), { ...samples()[0]!, bytes: Number.NaN }]),
    'ERR_BIO_VALUE',
  ],
  [
    'a sample of no time',
    () => new EnergyModel([...samples(), { ...samples()[0]!, seconds: 0 }]),
    'ERR_BIO_VALUE',
  ],
  ['negative work', () => new EnergyModel(samples()).predict({ bytes: -1, flops: 0 }), 'ERR_BIO_VALUE'],
  [
    'infinite time',
    () => new EnergyModel(samples()).predict({ bytes: 1, flops: 0, seconds: Infinity }),
    'ERR_BIO_VALUE',
  ],
])('%s is refused', (_, act, code) => {
  expect(act).toThrow(expect.objectContaining({ code }))
})
