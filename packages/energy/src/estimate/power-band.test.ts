import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { estimateJoules, powerBand } from './power-band.js'

interface Point {
  readonly machine: string
  readonly cpus: number
  readonly load: number
  readonly watts: number
}

const { points } = JSON.parse(
  readFileSync(new URL('__fixtures__/cpu-power-profiles.json', import.meta.url), 'utf8'),
) as { points: Point[] }

const watts = ({ cpus, load }: Point): ReturnType<typeof estimateJoules> => {
  const busy = cpus * load
  return estimateJoules(cpus, { low: busy, likely: busy, high: busy }, powerBand)
}

test('the band holds the power of every measured point of four machines', () => {
  expect(points).toHaveLength(86)
  expect(
    points.filter((point) => !(watts(point).low <= point.watts && point.watts <= watts(point).high)),
  ).toEqual([])
})

test('the likely power is off by less than a third on average', () => {
  const errors = points.map((point) => Math.abs(watts(point).likely - point.watts) / point.watts)
  expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(1 / 3)
})

const at = (busy: number): ReturnType<typeof estimateJoules> =>
  estimateJoules(8, { low: busy, likely: busy, high: busy }, powerBand)

test('more busy time never means less energy', () => {
  for (const side of ['low', 'likely', 'high'] as const) expect(at(5)[side]).toBeGreaterThan(at(4)[side])
})
