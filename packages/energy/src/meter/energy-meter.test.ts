import { expect, test } from 'vitest'
import { SteadySource } from './__fixtures__/steady-source.js'
import { EnergyMeter } from './energy-meter.js'
import type { EnergySource } from '../source.js'

const closed: EnergySource = {
  name: 'rapl',
  component: 'cpu',
  method: 'measured',
  open: () => ({ usable: false, reasons: ['EACCES'], cure: 'a rule', present: true }),
}

test('windows nest and overlap, each with its own joules', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await EnergyMeter.open({ sources: [source] })
  const outer = meter.begin('outer')
  source.time = 1
  const inner = meter.begin('inner')
  source.time = 3
  expect(outer.end().joules).toBe(30)
  source.time = 4
  expect(inner.read().joules).toBe(30)
  expect(inner.end().joules).toBe(30)
  source.time = 9
  expect([outer.end().joules, outer.read().joules, inner.end().joules]).toEqual([30, 30, 30])
  expect([outer.label, inner.label]).toEqual(['outer', 'inner'])
})

test('a window ends where its block does', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  await using meter = await EnergyMeter.open({ sources: [source] })
  const leave = (): ReturnType<typeof meter.begin> => {
    using window = meter.begin()
    source.time = 2
    return window
  }
  const window = leave()
  source.time = 5
  expect(window.read().joules).toBe(20)
})

test('a better source whose hardware is surely not there is listed with its reason, and no reading speaks of it', async () => {
  const absent = {
    ...closed,
    open: () => ({ usable: false as const, present: false, reasons: ['no such chip'] }),
  }
  await using meter = await EnergyMeter.open({ sources: [absent, new SteadySource('cpu-time', 'cpu', 9)] })
  expect(meter.begin().end().reasons).toEqual([])
  expect(meter.sources()[0]).toMatchObject({ usable: false, reasons: ['no such chip'] })
})

test('the first usable source of a component counts, and those after it do not', async () => {
  const [measured, spare, gpu] = [
    new SteadySource('hwmon', 'cpu', 10),
    new SteadySource('cpu-time', 'cpu', 99),
    new SteadySource('nvml', 'gpu', 5),
  ] as const
  await using meter = await EnergyMeter.open({ sources: [closed, measured, spare, gpu] })
  const window = meter.begin()
  for (const source of [measured, spare, gpu]) source.time = 2
  expect(window.end()).toMatchObject({
    joules: 30,
    source: 'hwmon + nvml',
    domains: ['cpu', 'gpu'],
    reasons: ['no rapl: EACCES'],
  })
  expect(window.readSources().map(({ joules }) => joules)).toEqual([20, 10])
  expect(meter.sources()).toEqual([
    {
      name: 'rapl',
      component: 'cpu',
      method: 'measured',
      usable: false,
      used: false,
      reasons: ['EACCES'],
      cure: 'a rule',
    },
    { name: 'hwmon', component: 'cpu', method: 'measured', usable: true, used: true, reasons: [] },
    {
      name: 'cpu-time',
      component: 'cpu',
      method: 'measured',
      usable: true,
      used: false,
      reasons: ['not used: hwmon covers the cpu'],
    },
    { name: 'nvml', component: 'gpu', method: 'measured', usable: true, used: true, reasons: [] },
  ])
})

test('hardware that is there but not counted is named in every reading', async () => {
  const gpu: EnergySource = {
    name: 'nvml',
    component: 'gpu',
    method: 'measured',
    open: () => ({ usable: false, reasons: ['MIG'], present: true }),
  }
  await using meter = await EnergyMeter.open({ sources: [new SteadySource('rapl', 'cpu', 1), gpu] })
  expect(meter.begin().end().reasons).toEqual(['the gpu is not counted: MIG'])
})

test.each<[string, readonly EnergySource[], string[]]>([
  ['no source', [], ['no energy source is usable']],
  ['no usable source', [closed], ['the cpu is not counted: EACCES', 'no energy source is usable']],
])('with %s readings are unavailable, never zero', async (_, sources, reasons) => {
  await using meter = await EnergyMeter.open({ sources })
  const window = meter.begin()
  expect(window.end()).toMatchObject({ joules: null, low: null, high: null, method: 'unavailable', reasons })
  expect(window.end()).toBe(window.end())
  const { energy, perCall, throughput } = await meter.measure(() => {})
  expect([energy.joules, perCall.joules]).toEqual([null, null])
  expect(throughput).toBeGreaterThan(0)
})

test('a source whose opening throws is unusable, and the meter opens', async () => {
  const broken: EnergySource = { ...closed, open: () => Promise.reject(new Error('boom')) }
  await using meter = await EnergyMeter.open({ sources: [broken, new SteadySource('spare', 'cpu', 1)] })
  expect(meter.sources()[0]?.reasons).toEqual(['opening it failed: boom'])
  expect(meter.sources()[1]?.used).toBe(true)
})

test('counters are sampled in the background until the meter is closed', async () => {
  const source = new SteadySource('rapl', 'cpu', 10)
  const meter = await EnergyMeter.open({ sources: [source], sampleSeconds: 0.001 })
  while (source.sampled < 3) await new Promise((resolve) => setTimeout(resolve, 1))
  const window = meter.begin()
  await meter.close()
  await meter.close()
  const atClose = source.sampled
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(source.sampled).toBe(atClose)
  source.time = 1
  expect(window.end().joules).toBe(10)
})

test('a closed meter begins nothing', async () => {
  const meter = await EnergyMeter.open({ sources: [] })
  const log = meter.perStep()
  await meter.close()
  const refusal = expect.objectContaining({ code: 'ERR_BIO_CLOSED' })
  expect(() => meter.begin()).toThrow(refusal)
  expect(() => meter.perStep()).toThrow(refusal)
  expect(() => log.step()).toThrow(refusal)
  await expect(meter.measure(() => {})).rejects.toEqual(refusal)
})

test.each([0, -1, Number.NaN, 61, Infinity])('a sample period of %s is refused', async (sampleSeconds) => {
  await expect(EnergyMeter.open({ sampleSeconds })).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
})

test.each([5, {}, [undefined], [{ name: 'x' }]])('%o as sources is refused', async (sources) => {
  await expect(EnergyMeter.open({ sources: sources as never })).rejects.toMatchObject({
    code: 'ERR_BIO_VALUE',
  })
})

test('the default sources say what this machine can do, and every reading has a method or a reason', async () => {
  await using meter = await EnergyMeter.open()
  expect(meter.sources().map(({ name }) => name)).toEqual([
    'rapl',
    'hwmon',
    'jetson',
    'powermetrics',
    'cpu-time',
    'nvml',
    'amd-gpu',
    'hwmon',
  ])
  for (const { used, reasons } of meter.sources()) expect(used || reasons.length > 0).toBe(true)
  const reading = meter.begin().end()
  if (reading.joules === null) expect(reading.reasons.length).toBeGreaterThan(0)
  else expect(reading.low <= reading.joules && reading.joules <= reading.high).toBe(true)
})
