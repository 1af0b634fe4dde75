import { expect, test } from 'vitest'
import { alternate } from './alternate.mjs'
import { benchOptions } from './options.mjs'
import { row } from './rows.mjs'
import { median, quantile } from './statistics.mjs'

test('quantiles interpolate, leave their argument alone, and are NaN of nothing', () => {
  const values = [4, 1, 3, 2]
  expect(median(values)).toBe(2.5)
  expect(quantile(values, 0)).toBe(1)
  expect(quantile(values, 1)).toBe(4)
  expect(quantile([7], 0.99)).toBe(7)
  expect(quantile([], 0.5)).toBeNaN()
  expect(values).toEqual([4, 1, 3, 2])
})

test('contenders take turns, and turns at being first', async () => {
  const order = []
  const contender = (name) => async () => order.push(name)
  await alternate({ a: contender('a'), b: contender('b') }, 3)
  expect(order.join('')).toBe('abbaab')
})

test('slow contenders end their turns after the least repetitions, quick ones have all of them', async () => {
  const contenders = { slow: () => new Promise((done) => setTimeout(done, 2)), quick: () => 0 }
  const { slow, quick } = await alternate(contenders, 1000, { least: 3, seconds: 0.001 })
  expect([slow.length, quick.length]).toEqual([3, 3])
  const { alone } = await alternate({ alone: () => 0 }, 1000, { least: 3, seconds: 60 })
  expect(alone).toHaveLength(1000)
})

test('a ratio above 1 says that ours is better, whichever way better points', () => {
  const peers = [{ name: 'peer', version: '1', value: 50 }]
  const faster = row({ subject: {}, ours: 100, unit: '1/s', better: 'higher', limit: 200, target: 80, peers })
  expect(faster).toMatchObject({ ofLimit: 0.5, met: true, peers: [{ ratio: 2 }] })
  const slower = row({ subject: {}, ours: 100, unit: 'ms', better: 'lower', target: 80, peers })
  expect(slower).toMatchObject({ met: false, peers: [{ ratio: 0.5 }] })
})

test('--only takes a part, and of it what has a text in its name', () => {
  const all = benchOptions({ parts: ['a', 'b'], args: [] })
  expect([all.runs('a'), all.runs('b'), all.plays('x')]).toEqual([true, true, true])
  const some = benchOptions({ parts: ['a', 'b'], args: ['--only', 'b:x 1'] })
  expect([some.runs('a'), some.runs('b'), some.plays('x 12'), some.plays('x 2')]).toEqual([
    false,
    true,
    true,
    false,
  ])
})
