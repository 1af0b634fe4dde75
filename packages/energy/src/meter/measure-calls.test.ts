import { expect, test } from 'vitest'
import { SteadySource } from './__fixtures__/steady-source.js'
import { EnergyMeter } from './energy-meter.js'

async function meterOf(watts: number): Promise<{ source: SteadySource; meter: EnergyMeter }> {
  const source = new SteadySource('rapl', 'cpu', watts)
  return { source, meter: await EnergyMeter.open({ sources: [source], sampleSeconds: 60 }) }
}

test.each<[string, (work: () => void) => unknown]>([
  ['synchronous', (work) => work()],
  ['asynchronous', async (work) => (await Promise.resolve(), work())],
])('%s calls are counted after the warm-up, and shared over the calls', async (_, call) => {
  const { source, meter } = await meterOf(10)
  let calls = 0
  const { energy, perCall, seconds, throughput } = await meter.measure(
    () =>
      call(() => {
        calls++
        source.time += 0.5
      }),
    { warmup: 3, repeat: 4 },
  )
  await meter.close()
  expect(calls).toBe(7)
  expect(energy).toMatchObject({ joules: 20, seconds: 2, method: 'measured' })
  expect(perCall).toMatchObject({ joules: 5, seconds: 0.5, method: 'measured' })
  expect(throughput).toBeCloseTo(4 / seconds, 9)
})

test('calls are made one after another', async () => {
  const { meter } = await meterOf(1)
  let running = 0
  let most = 0
  await meter.measure(
    async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
    },
    { repeat: 5 },
  )
  await meter.close()
  expect(most).toBe(1)
})

test('what the function throws comes out, and the meter goes on', async () => {
  const { meter } = await meterOf(1)
  const error = new Error('mine')
  await expect(meter.measure(() => Promise.reject(error))).rejects.toBe(error)
  await expect(
    meter.measure(() => {
      throw error
    }),
  ).rejects.toBe(error)
  expect((await meter.measure(() => 1)).energy.method).toBe('measured')
  await meter.close()
})

test('an abort ends the measuring between two calls', async () => {
  const { meter } = await meterOf(1)
  const controller = new AbortController()
  let calls = 0
  const call = (): void => {
    if (++calls === 3) controller.abort(new Error('enough'))
  }
  await expect(meter.measure(call, { repeat: 10, signal: controller.signal })).rejects.toThrow('enough')
  expect(calls).toBe(3)
  await meter.close()
})

const spin = (): void => {
  const until = performance.now() + 3
  while (performance.now() < until) Math.hypot(1, 2)
}

test('a loop that blocks the event loop is sampled between its calls', async () => {
  const source = new SteadySource('rapl', 'cpu', 1)
  const meter = await EnergyMeter.open({ sources: [source], sampleSeconds: 0.002 })
  await meter.measure(spin, { repeat: 5 })
  await meter.close()
  expect(source.sampled).toBeGreaterThanOrEqual(5)
})

test.each([
  [{ repeat: 0 }],
  [{ repeat: 1.5 }],
  [{ repeat: Number.NaN }],
  [{ warmup: -1 }],
  [{ warmup: Infinity }],
])('%o is refused', async (options) => {
  const { meter } = await meterOf(1)
  await expect(meter.measure(() => 1, options)).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
  await meter.close()
})

test('what is no function is refused', async () => {
  const { meter } = await meterOf(1)
  await expect(meter.measure(5 as never)).rejects.toMatchObject({ code: 'ERR_BIO_VALUE' })
  await meter.close()
})

test('a log gives joules per step and in sum, and in sum at any time', async () => {
  const { source, meter } = await meterOf(10)
  const log = meter.perStep()
  const steps = [1, 2, 3].map((seconds) => {
    source.time += seconds
    return log.step()
  })
  source.time += 4
  expect(steps.map(({ step, energy, total }) => [step, energy.joules, total.joules])).toEqual([
    [1, 10, 10],
    [2, 20, 30],
    [3, 30, 60],
  ])
  expect(log.total().joules).toBe(100)
  await meter.close()
})

test('tokens and bits of a step give joules per token and per bit, and a step without any gives none', async () => {
  const { source, meter } = await meterOf(10)
  const log = meter.perStep()
  source.time += 2
  const row = log.step({ tokens: 4, bits: 10 })
  expect([row.tokens, row.bits, row.perToken?.joules, row.perBit?.joules]).toEqual([4, 10, 5, 2])
  source.time += 2
  const greedy = log.step({ tokens: 4, bits: 0 })
  expect([greedy.bits, greedy.perToken?.joules, greedy.perBit]).toEqual([0, 5, undefined])
  for (const tokens of [-1, Number.NaN, Infinity]) {
    expect(() => log.step({ tokens })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
  }
  await meter.close()
})
