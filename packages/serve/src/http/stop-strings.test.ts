import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StopStrings } from './stop-strings.js'

test('a stop string cut over several pieces is found, and nothing of it is shown', () => {
  const stop = new StopStrings(['</s>'])
  expect(['ab', '<', '/s', '>cd'].map((piece) => stop.push(piece))).toEqual(['ab', '', '', ''])
  expect(stop.found).toBe(true)
})

test('what only looked like a stop string is shown in the end', () => {
  const stop = new StopStrings(['</s>'])
  expect(stop.push('a</') + stop.push('b<') + stop.end()).toBe('a</b<')
})

test('however a text is cut into pieces, it is shown up to its first stop string', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 40 })
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
    maxLength: 3,
  })
  fc.assert(
    fc.property(
      letters,
      stops,
      fc.array(fc.nat(5), { minLength: 1, maxLength: 40 }),
      (text, strings, cuts) => {
        const stop = new StopStrings(strings)
        let shown = ''
        for (let at = 0, cut = 0; at < text.length && !stop.found; cut++) {
          const size = cuts[cut % cuts.length]! + 1
          shown += stop.push(text.slice(at, at + size))
          at += size
        }
        shown += stop.end()
        const first = Math.min(...strings.map((s) => text.indexOf(s)).filter((at) => at >= 0))
        // Cut into pieces, an earlier but longer stop string may still be unfinished when a shorter one inside it is complete.
        if (first === Infinity) expect(shown).toBe(text)
        else expect(text.startsWith(shown)).toBe(true)
        for (const s of strings) expect(shown.includes(s)).toBe(false)
      },
    ),
  )
})
