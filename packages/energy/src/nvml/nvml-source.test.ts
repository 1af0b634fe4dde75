import { expect, test } from 'vitest'
import type { Reading } from '../reading/reading.js'
import type { EnergyAccount, SourceOpening } from '../source.js'
import type { NvmlDevice, NvmlLike } from './nvml-like.js'
import { nvmlSource } from './nvml-source.js'

/** GPUs in memory; a millijoule or milliwatt entry may be a failure. */
class FakeNvml implements NvmlLike {
  time = 0
  energy: (number | string)[]
  readonly device: Partial<NvmlDevice>
  powerMilliwatts?: (index: number) => number

  constructor(energy: (number | string)[], device: Partial<NvmlDevice> = {}) {
    this.energy = energy
    this.device = device
  }

  devices(): ReturnType<NvmlLike['devices']> {
    return this.energy.map((_, index) => ({ index, name: 'Fake GPU', ...this.device }))
  }

  totalEnergyMillijoules(index: number): number {
    const energy = this.energy[index]!
    if (typeof energy === 'string') throw new Error(energy)
    return energy
  }
}

async function open(nvml: FakeNvml): Promise<SourceOpening> {
  return nvmlSource({ nvml, now: () => nvml.time, environment: {} }).open()
}

async function accountOf(nvml: FakeNvml): Promise<EnergyAccount> {
  const opening = await open(nvml)
  if (!opening.usable) throw new Error(opening.reasons.join())
  return opening.account
}

test('all GPUs are summed, within what their refresh can hide', async () => {
  const nvml = new FakeNvml([1000, 9_000_000], { powerLimitMilliwatts: 400_000 })
  const span = (await accountOf(nvml)).startSpan()
  nvml.energy = [301_000, 9_100_000]
  nvml.time = 1
  const reading = span.read()
  expect(reading).toMatchObject({
    joules: 400,
    method: 'measured',
    source: 'nvml',
    domains: ['gpu-0', 'gpu-1'],
    seconds: 1,
  })
  // two boards, 1.25 · 400 W for 100 ms at either end
  expect(reading.low).toBeCloseTo(400 - 2 * 50, 1)
  expect(reading.high).toBeCloseTo(400 + 2 * 50, 1)
})

test('a driver that is loaded again makes the span unavailable', async () => {
  const nvml = new FakeNvml([500_000])
  const span = (await accountOf(nvml)).startSpan()
  nvml.energy = [200]
  nvml.time = 1
  expect(span.read()).toMatchObject({
    joules: null,
    reasons: [expect.stringMatching(/gpu-0: .*driver reload/)],
  })
})

test.each<[string, (nvml: FakeNvml) => void, RegExp]>([
  ['a GPU that falls off the bus', (nvml) => (nvml.energy = ['GPU is lost']), /GPU is lost/],
  ['a counter that stands still', (nvml) => (nvml.time = 10), /stood still/],
  ['a sentinel', (nvml) => (nvml.energy = [2 ** 64]), /NVML gave 18446744073709552000 mJ/],
  ['NaN', (nvml) => (nvml.energy = [Number.NaN]), /NVML gave NaN/],
])('%s makes the span unavailable, with the reason', async (_, inject, reason) => {
  const nvml = new FakeNvml([1000])
  const span = (await accountOf(nvml)).startSpan()
  nvml.time = 1
  inject(nvml)
  const reading = span.read()
  expect(reading).toMatchObject({ joules: null, method: 'unavailable' })
  expect(reading.reasons.join()).toMatch(reason)
})

test('a GPU without a counter (MIG, before Volta) is left out by name', async () => {
  const nvml = new FakeNvml([1000, 'Not Supported'])
  const span = (await accountOf(nvml)).startSpan()
  nvml.energy[0] = 2000
  nvml.time = 1
  expect(span.read()).toMatchObject({
    joules: 1,
    domains: ['gpu-0'],
    reasons: ['gpu-1 (Fake GPU) is left out: Not Supported'],
  })
})

test.each<[string, FakeNvml, RegExp]>([
  ['no GPU', new FakeNvml([]), /lists no GPU/],
  ['no GPU with a counter', new FakeNvml(['Not Supported']), /gpu-0 .* Not Supported/],
  [
    'a library that fails',
    Object.assign(new FakeNvml([1]), {
      devices: () => {
        throw new Error('Driver/library version mismatch')
      },
    }),
    /version mismatch/,
  ],
])('%s: unusable, with the reason', async (_, nvml, reason) => {
  const opening = await open(nvml)
  expect(opening.usable).toBe(false)
  expect(opening.reasons.join()).toMatch(reason)
})

test('by default the library is looked for, and either opens or says why not', async () => {
  const opening = await nvmlSource().open()
  if (!opening.usable) expect(opening.reasons[0]).toMatch(/\w{3}/)
  else expect(opening.account.startSpan().read().source).toBe('nvml')
})

/** A minute at 65.4 W by the power, with a counter of its own mind. */
async function idleMinute(countedWatts: number, device: Partial<NvmlDevice> = {}): Promise<Reading> {
  const ampere = { powerLimitMilliwatts: 400_000, computeMajor: 8, computeMinor: 6 }
  const nvml = new FakeNvml([0], { ...ampere, ...device })
  nvml.powerMilliwatts = () => 65_400
  const account = await accountOf(nvml)
  const span = account.startSpan()
  for (let tick = 1; tick <= 600; tick++) {
    nvml.time = tick / 10
    nvml.energy = [countedWatts * tick * 100]
    account.sample()
  }
  return span.read()
}

test('a counter that the integrated power bears out is measured', async () => {
  expect(await idleMinute(65)).toMatchObject({ method: 'measured', reasons: [] })
})

test('a counter that contradicts the integrated power: both are told, the bounds hold both, nothing is measured', async () => {
  // as one did at idle (zeus issue 181): 187.4 J in 5 s, where the power came to 326.9 J
  const reading = await idleMinute(37.5)
  expect(reading.method).toBe('estimated')
  expect(reading.low!).toBeLessThan(37.5 * 60)
  expect(reading.high!).toBeGreaterThan(65.4 * 60)
  expect(reading.reasons.join()).toMatch(
    /gpu-0: its counter says 2250 J \(.*\), its power integrated 39\d\d J/,
  )
})

test('a sensor that looks a quarter of the time leaves the rest to any power', async () => {
  const reading = await idleMinute(65, { computeMajor: 9, computeMinor: 0 })
  expect(reading).toMatchObject({ joules: 3900, method: 'measured', coverage: 0.25 })
  expect(reading.low!).toBeCloseTo(0.25 * 3900, -2)
  expect(reading.high!).toBeCloseTo(0.25 * 3900 + 0.75 * 500 * 60, -2)
})
