import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

interface Reading {
  readonly rss: number
  readonly heapUsed: number
  readonly pool: unknown
}

test('10,000 training steps keep the resident memory flat within 1 %', () => {
  // A process of its own, whose heap does not resize itself meanwhile: what grows is ours.
  const flags = ['--expose-gc', '--single-threaded', '--min-semi-space-size=16', '--max-semi-space-size=16']
  const script = fileURLToPath(new URL('__fixtures__/train-steps.mjs', import.meta.url))
  const readings = JSON.parse(
    execFileSync(process.execPath, [...flags, script], { encoding: 'utf8' }),
  ) as Reading[]
  const [first, last] = [readings[0]!, readings.at(-1)!]
  const drift = readings.map(({ rss }) => rss / first.rss - 1)
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`
  console.log(
    `${(first.rss / 2 ** 20).toFixed(1)} MiB, then ${percent(Math.min(...drift))} to ${percent(Math.max(...drift))}`,
  )
  expect(last.pool).toEqual(first.pool)
  expect(Math.max(...drift.map(Math.abs))).toBeLessThan(0.01)
  expect(last.heapUsed - first.heapUsed).toBeLessThan(2 ** 16)
})
