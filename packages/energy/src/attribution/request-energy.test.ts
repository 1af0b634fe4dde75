import { expect, test } from 'vitest'
import { SteadySource } from '../meter/__fixtures__/steady-source.js'
import { EnergyMeter } from '../meter/energy-meter.js'
import { createReading } from '../reading/reading.js'
import type { EnergySource } from '../source.js'
import { RequestEnergy, type RequestEnergyOptions } from './request-energy.js'

interface Item {
  readonly id: string
  readonly tokens: number
}

async function requestsOf(options: Partial<RequestEnergyOptions<Item, string>> = {}) {
  const source = new SteadySource('rapl', 'cpu', 10)
  const meter = await EnergyMeter.open({ sources: [source], sampleSeconds: 60 })
  const requests = new RequestEnergy({
    meter,
    key: ({ id }: Item) => id,
    cost: ({ tokens }) => tokens,
    ...options,
  })
  const work = requests.wrap((items, seconds: number) => {
    source.time += seconds
    return items.map(({ id }) => id)
  })
  return { source, meter, requests, work }
}

test('a step is shared by marginal cost, and what lies between steps is idle', async () => {
  const { source, meter, requests, work } = await requestsOf()
  source.time += 3
  expect(
    work(
      [
        { id: 'long', tokens: 30 },
        { id: 'short', tokens: 10 },
      ],
      4,
    ),
  ).toEqual(['long', 'short'])
  source.time += 2
  work([{ id: 'short', tokens: 1 }], 1)
  expect(requests.take('long')).toMatchObject({
    joules: 30,
    method: 'derived',
    boundary: 'process',
    seconds: 4,
  })
  expect(requests.take('short')).toMatchObject({ joules: 20, seconds: 5 })
  expect(requests.read().idle).toMatchObject({ joules: 50, seconds: 5, method: 'derived' })
  expect(requests.read().total).toMatchObject({ joules: 100, method: 'measured' })
  await meter.close()
})

test('the fixed cost of a step is shared in equal parts', async () => {
  const { meter, requests, work } = await requestsOf({ fixedCost: 60 })
  work(
    [
      { id: 'a', tokens: 30 },
      { id: 'b', tokens: 10 },
    ],
    10,
  ) // a: (30 + 30) / 100
  expect([requests.take('a').joules, requests.take('b').joules]).toEqual([60, 40])
  await meter.close()
})

test('a step in which nothing costs anything is shared equally', async () => {
  const { meter, requests, work } = await requestsOf()
  work(
    [
      { id: 'a', tokens: 0 },
      { id: 'b', tokens: 0 },
    ],
    1,
  )
  expect([requests.take('a').joules, requests.take('b').joules]).toEqual([5, 5])
  await meter.close()
})

test('steps at the same time share it in equal parts', async () => {
  const { source, meter, requests } = await requestsOf()
  const ends: (() => void)[] = []
  const step = requests.wrap((_items) => new Promise<void>((resolve) => ends.push(resolve)))
  const first = step([{ id: 'a', tokens: 1 }])
  source.time += 1
  const second = step([{ id: 'b', tokens: 1 }])
  source.time += 2
  ends[0]!()
  await first
  source.time += 4
  ends[1]!()
  await second
  expect([requests.take('a').joules, requests.take('b').joules]).toEqual([20, 50])
  await meter.close()
})

test('what a step throws comes out, and its energy is still its requests’', async () => {
  const { source, meter, requests } = await requestsOf()
  const error = new Error('mine')
  const sync = requests.wrap((_items): void => {
    source.time += 1
    throw error
  })
  const later = requests.wrap(async (_items) => {
    await Promise.resolve()
    source.time += 2
    throw error
  })
  expect(() => sync([{ id: 'a', tokens: 1 }])).toThrow(error)
  await expect(later([{ id: 'b', tokens: 1 }])).rejects.toBe(error)
  expect([requests.take('a').joules, requests.take('b').joules]).toEqual([10, 20])
  await meter.close()
})

test('a request is taken once; an unknown one is unavailable, never zero', async () => {
  const { meter, requests, work } = await requestsOf()
  work([{ id: 'a', tokens: 1 }], 1)
  expect(requests.take('a').joules).toBe(10)
  const reasons = ['no step of this request has ended']
  expect(requests.take('a')).toMatchObject({ joules: null, method: 'unavailable', reasons })
  await meter.close()
})

test('requests that nobody takes are summed, so that nothing grows', async () => {
  const { meter, requests, work } = await requestsOf({ maxRequests: 2 })
  for (const id of ['a', 'b', 'c', 'd']) work([{ id, tokens: 1 }], 1)
  expect(requests.read().unclaimed.joules).toBe(20)
  expect([requests.take('a').joules, requests.take('d').joules]).toEqual([null, 10])
  await meter.close()
})

test('a segment that nobody counted makes its requests unknown, with the reason, and no others', async () => {
  const { source, meter, requests, work } = await requestsOf()
  const broken = requests.wrap((_items) => {
    source.fail = 'EIO'
  })
  work([{ id: 'before', tokens: 1 }], 1)
  broken([{ id: 'within', tokens: 1 }])
  source.fail = undefined
  work([{ id: 'same cut', tokens: 1 }], 1)
  work([{ id: 'after', tokens: 1 }], 1)
  expect(requests.take('before').joules).toBe(10)
  expect(requests.take('within')).toMatchObject({ joules: null, reasons: ['EIO'] })
  expect(requests.take('after').joules).toBe(10)
  for (const lost of [requests.read().total, requests.read().idle])
    expect(lost).toMatchObject({ joules: null, reasons: ['EIO'] })
  await meter.close()
})

test('a closed meter stops no step: its requests are unknown, and say why', async () => {
  const { meter, requests, work } = await requestsOf()
  await meter.close()
  expect(work([{ id: 'a', tokens: 1 }], 1)).toEqual(['a'])
  expect(requests.take('a').reasons.join()).toContain('closed')
})

test('the bounds of a request are its shares of the bounds of its steps', async () => {
  let joules = 0
  const coarse: EnergySource = {
    name: 'cpu-time',
    component: 'cpu',
    method: 'estimated',
    open: () => ({
      usable: true,
      reasons: [],
      account: {
        sample: () => {},
        startSpan: () => {
          const start = joules
          return {
            read: () =>
              createReading({
                joules: joules - start,
                low: (joules - start) / 2,
                high: (joules - start) * 3 + 1,
                method: 'estimated',
                source: 'cpu-time',
                seconds: 1,
                reasons: ['a model'],
              }),
          }
        },
      },
    }),
  }
  await using meter = await EnergyMeter.open({ sources: [coarse] })
  const requests = new RequestEnergy({ meter, key: ({ id }: Item) => id, cost: ({ tokens }) => tokens })
  const work = requests.wrap(() => {
    joules += 8
  })
  for (let step = 0; step < 2; step++)
    work([
      { id: 'a', tokens: 1 },
      { id: 'b', tokens: 3 },
    ])
  expect(requests.take('a')).toMatchObject({
    joules: 4,
    low: 2,
    high: 12.5,
    method: 'estimated',
    reasons: ['a model'],
  })
})

test('an empty step is idle', async () => {
  const { meter, requests, work } = await requestsOf()
  expect(work([], 2)).toEqual([])
  expect(requests.read().idle.joules).toBe(20)
  await meter.close()
})

test.each([-1, Number.NaN, Infinity, 'many' as never])(
  'a cost of %s is refused before the step runs',
  async (tokens) => {
    const { source, meter, work } = await requestsOf()
    expect(() => work([{ id: 'a', tokens }], 1)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
    expect(source.time).toBe(0)
    await meter.close()
  },
)

test.each<Partial<RequestEnergyOptions<Item, string>>>([
  { key: 5 as never },
  { cost: undefined as never },
  { meter: {} as never },
  { meter: undefined as never },
  { fixedCost: -1 },
  { fixedCost: Number.NaN },
  { maxRequests: 0 },
])('%o is refused', async (options) => {
  await expect(requestsOf(options)).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
})
