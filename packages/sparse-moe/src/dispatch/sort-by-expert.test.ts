import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sortByExpert } from './sort-by-expert.js'

const input = fc
  .record({ experts: fc.integer({ min: 1, max: 9 }), topK: fc.integer({ min: 1, max: 4 }) })
  .chain(({ experts, topK }) =>
    fc.record({
      experts: fc.constant(experts),
      topK: fc.constant(topK),
      selected: fc
        .array(fc.array(fc.nat(experts - 1), { minLength: topK, maxLength: topK }), { maxLength: 20 })
        .map((rows) => Int32Array.from(rows.flat())),
    }),
  )

test.each([-1, 3])('expert %i of 3 is refused', (expert) => {
  expect(() => sortByExpert(Int32Array.of(0, expert), { experts: 3, topK: 1 })).toThrowError(
    expect.objectContaining({ code: 'ERR_BIO_INDEX' }),
  )
})

test('every choice has exactly one slot, in its expert’s range, in the order of tokens', () => {
  fc.assert(
    fc.property(input, ({ experts, topK, selected }) => {
      const { counts, offsets, choices, tokens } = sortByExpert(selected, { experts, topK })
      expect([...choices].toSorted((a, b) => a - b)).toEqual([...selected.keys()])
      expect([...tokens]).toEqual([...choices].map((choice) => Math.floor(choice / topK)))
      expect(offsets[0]).toBe(0)
      expect(offsets[experts]).toBe(selected.length)
      for (let expert = 0; expert < experts; expert++) {
        const mine = [...choices.subarray(offsets[expert], offsets[expert + 1])]
        expect(mine.length).toBe(counts[expert])
        expect(mine).toEqual([...selected.keys()].filter((choice) => selected[choice] === expert))
      }
    }),
  )
})
