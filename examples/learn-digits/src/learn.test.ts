import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDigits, readDigits } from './digits.js'
import { learnDigits, ways } from './learn.js'

/** Ten digits that are easy to tell apart: one row of the picture is dark, or one column. */
const drawn = (count: number): string =>
  Array.from({ length: count }, (_, item) => {
    const label = item % 10
    const pixel = (i: number): number =>
      (label < 8 ? Math.floor(i / 8) === label : i % 8 === label - 8) ? 16 : (i * 7 + item) % 4
    return [...Array.from({ length: 64 }).map((_value, i) => pixel(i)), label].join(',')
  }).join('\n')

test('digits are read with their labels, and a header is passed over', () => {
  const { size, x, y } = parseDigits(`Block 1,Block 2\n${drawn(3)}\n`)
  expect([size, x.length, [...y]]).toEqual([3, 192, [0, 1, 2]])
  expect(Math.max(...x)).toBe(1)
})

test('on drawn digits, replay remembers what training alone forgets', async () => {
  const digits = { train: parseDigits(drawn(1000)), test: parseDigits(drawn(100)) }
  const run = (way: string): ReturnType<typeof learnDigits> => learnDigits(digits, ways[way]!(0), { seed: 0 })
  const [none, kept] = [await run('nothing'), await run('replay of 200')]
  expect(none.averageAccuracy).toBeLessThan(0.5)
  expect(kept.averageAccuracy).toBeGreaterThan(0.9)
})

// Empty is as good as absent.
const data = process.env['BIO_DATA'] || undefined
if (data === undefined) console.log('skipped: real digits (BIO_DATA is not set)')

test.skipIf(data === undefined)(
  'on the digits of UCI: 19 % with nothing, over 75 % with replay of 200',
  async () => {
    const digits = readDigits(join(data!, 'optdigits'))
    const none = await learnDigits(digits, [], { seed: 0 })
    expect(none.averageAccuracy).toBeLessThan(0.25)
    const kept = await learnDigits(digits, ways['replay of 200']!(0), { seed: 0 })
    expect(kept.averageAccuracy).toBeGreaterThan(0.75)
    expect(kept.forgetting).toBeLessThan(none.forgetting / 2)
  },
)
