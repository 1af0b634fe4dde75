import { expect, test } from 'vitest'
import { batchOf, dataset, joinBatches } from './dataset.js'
import { splitTasks } from './tasks.js'

const all = dataset({
  x: Float32Array.from({ length: 12 }, (_, i) => i),
  y: Int32Array.of(0, 1, 2, 3, 0, 1),
  xShape: [2],
})

test('a batch copies the rows that were asked for', () => {
  const batch = batchOf(all, [3, 0])
  expect(batch.x.shape).toEqual([2, 2])
  expect([...(batch.x.data as Float32Array)]).toEqual([6, 7, 0, 1])
  expect([...(batch.y.data as Int32Array)]).toEqual([3, 0])
  ;(batch.x.data as Float32Array).fill(9)
  expect(all.x[6]).toBe(6)
})

test('joined batches keep their order', () => {
  const joined = joinBatches(batchOf(all, [0]), batchOf(all, [5, 4]))
  expect(joined).toMatchObject({ size: 3 })
  expect([...(joined.y.data as Int32Array)]).toEqual([0, 1, 0])
  expect([...(joined.x.data as Float32Array)]).toEqual([0, 1, 10, 11, 8, 9])
})

test('a split keeps every item once, with its label', () => {
  const tasks = splitTasks({ train: all, test: all }, 2)
  expect(tasks.map(({ name }) => name)).toEqual(['0–1', '2–3'])
  expect(tasks.map(({ train }) => [...train.y])).toEqual([
    [0, 1, 0, 1],
    [2, 3],
  ])
  expect([...tasks[1]!.train.x]).toEqual([4, 5, 6, 7])
})

test.each([3, 0, 1.5])('a split of four classes into %d is refused', (count) => {
  expect(() => splitTasks({ train: all, test: all }, count)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
  )
})

test.each([
  [3, 1],
  [4, 1],
  [0, 0],
])('x of %d values with y of %d is refused where items have two', (x, y) => {
  expect(() => dataset({ x: new Float32Array(x), y: new Int32Array(y), xShape: [2] })).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error,
  )
})
