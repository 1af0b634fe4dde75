import { getKernels } from '@bio/kernels'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packWeights } from './pack-weights.js'
import type { WeightFormat } from './weight-format.js'

const weight = fc.oneof(
  fc.float({ min: -1, max: 1, noNaN: true }),
  fc.float({ min: -1000, max: 1000, noNaN: true }),
  fc.constant(0),
)
const matrix = fc
  .record({ experts: fc.integer({ min: 1, max: 2 }), rows: fc.integer({ min: 1, max: 3 }) })
  .chain(({ experts, rows }) =>
    fc
      .array(weight, { minLength: experts * rows * 64, maxLength: experts * rows * 64 })
      .map((values) => ({ shape: { experts, rows, columns: 64 }, weights: Float32Array.from(values) })),
  )

/** Below this, scales are no normal f32 numbers any more. */
const denormal = 1e-36

function unpacked(
  { weights, shape }: { weights: Float32Array; shape: { experts: number; rows: number; columns: number } },
  format: WeightFormat,
) {
  const { packed, error } = packWeights(weights, shape, { path: 'layer', format, groupSize: 32 })
  const values = new Float32Array(weights.length)
  getKernels().unpack(values, packed)
  return { values, packed, error }
}

/** max |w| over the run of `length` weights that holds index i. */
function largest(weights: Float32Array, i: number, length: number): number {
  const from = i - (i % length)
  return weights.subarray(from, from + length).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
}

test('int8 is within half a scale, max|w| / 127 of its row, of every weight', () => {
  fc.assert(
    fc.property(matrix, (input) => {
      const { values } = unpacked(input, 'int8')
      values.forEach((value, i) => {
        const scale = largest(input.weights, i, 64) / 127
        expect(Math.abs(value - input.weights[i]!)).toBeLessThanOrEqual((scale / 2) * (1 + 1e-4) + denormal)
      })
    }),
  )
})

test('int4 loses at most what half a scale of max|w| / 7.5 would lose over its group of 32', () => {
  fc.assert(
    fc.property(matrix, (input) => {
      const { values } = unpacked(input, 'int4')
      for (let from = 0; from < values.length; from += 32) {
        // +7.5 scales does not exist (8 would need it), so the widest step is from 7 to 7.5: half a scale too.
        const bound = largest(input.weights, from, 32) / 7.5 / 2
        let squares = 0
        for (let i = from; i < from + 32; i++) squares += (values[i]! - input.weights[i]!) ** 2
        expect(Math.sqrt(squares / 32)).toBeLessThanOrEqual(bound * (1 + 1e-4) + denormal)
      }
    }),
  )
})

test('f32 loses nothing, bf16 at most 2⁻⁸ of each weight', () => {
  fc.assert(
    fc.property(matrix, (input) => {
      expect(unpacked(input, 'f32').error).toEqual({ maxError: 0, rootMeanSquareError: 0, relativeError: 0 })
      unpacked(input, 'bf16').values.forEach((value, i) => {
        const w = input.weights[i]!
        expect(Math.abs(value - w)).toBeLessThanOrEqual(Math.abs(w) / 256 + denormal)
      })
    }),
  )
})

test('the error is that of the unpacked weights', () => {
  fc.assert(
    fc.property(matrix, fc.constantFrom<WeightFormat>('bf16', 'int8', 'int4'), (input, format) => {
      const { values, error } = unpacked(input, format)
      const errors = Array.from(values, (value, i) => Math.abs(value - input.weights[i]!))
      const squares = errors.reduce((sum, e) => sum + e * e, 0)
      const norm = input.weights.reduce((sum, w) => sum + w * w, 0)
      expect(error.maxError).toBe(Math.max(...errors))
      expect(error.rootMeanSquareError).toBeCloseTo(Math.sqrt(squares / errors.length), 10)
      expect(error.relativeError).toBeCloseTo(norm === 0 ? 0 : Math.sqrt(squares / norm), 10)
    }),
  )
})

test('bytes count the scales', () => {
  const input = { weights: new Float32Array(2 * 3 * 64).fill(1), shape: { experts: 2, rows: 3, columns: 64 } }
  const bytes = (format: WeightFormat): number => unpacked(input, format).packed.bytes
  expect([bytes('f32'), bytes('bf16'), bytes('int8'), bytes('int4')]).toEqual([
    384 * 4,
    384 * 2,
    384 + 6 * 4,
    384 / 2 + 12 * 4,
  ])
})

test.each([
  [64, 'int4'],
  [48, 'int8'],
  [31, 'int8'],
])('int4 of %i columns is held as %s', (columns, dtype) => {
  const shape = { experts: 1, rows: 1, columns }
  const { packed } = packWeights(new Float32Array(columns), shape, {
    path: '',
    format: 'int4',
    groupSize: 32,
  })
  expect(packed.dtype).toBe(dtype)
})

test.each([NaN, Infinity, -Infinity])('a weight of %s is refused with its place', (broken) => {
  const weights = Float32Array.of(0, 0, broken, 0)
  expect(() =>
    packWeights(weights, { experts: 1, rows: 2, columns: 2 }, { path: 'up', format: 'int8', groupSize: 32 }),
  ).toThrowError(expect.objectContaining({ code: 'ERR_BIO_VALUE', received: `${broken} in up at 2` }))
})
