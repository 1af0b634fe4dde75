import fc from 'fast-check'
import { expect, test } from 'vitest'
import { selectTopK } from './select-top-k.js'

const rank = (value: number): number => (Number.isNaN(value) ? -1 : value)

/** What the name promises, said another way: a stable sort by falling probability. */
function sorted(row: readonly number[], topK: number): number[] {
  return row
    .map((_, expert) => expert)
    .toSorted((a, b) => rank(row[b]!) - rank(row[a]!))
    .slice(0, topK)
}

test('of equals the lower index wins', () => {
  expect([...selectTopK(Float32Array.of(0.2, 0.3, 0.3, 0.2), { experts: 4, topK: 3 })]).toEqual([1, 2, 0])
})

test('a token of NaN gets distinct experts', () => {
  expect([...selectTopK(new Float32Array(4).fill(NaN), { experts: 4, topK: 2 })]).toEqual([0, 1])
})

test('the selection is that of a stable sort, ties and NaN included', () => {
  const value = fc.oneof(fc.constantFrom(0, 0.125, 0.25, 0.5, NaN), fc.float({ min: 0, max: 1, noNaN: true }))
  const input = fc.integer({ min: 1, max: 12 }).chain((experts) =>
    fc.record({
      topK: fc.integer({ min: 1, max: experts }),
      rows: fc.array(fc.array(value, { minLength: experts, maxLength: experts }), { maxLength: 6 }),
    }),
  )
  fc.assert(
    fc.property(input, ({ topK, rows }) => {
      const experts = rows[0]?.length ?? 1
      const selected = selectTopK(Float32Array.from(rows.flat()), { experts, topK })
      expect([...selected]).toEqual(rows.flatMap((row) => sorted(row.map(Math.fround), topK)))
    }),
  )
})
