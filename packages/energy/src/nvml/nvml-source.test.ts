import { expect, test } from 'vitest'
import type { EnergyAccount, SourceOpening } from '../source.js'
import type { NvmlLike } from './nvml-like.js'
import { nvmlSource } from './nvml-source.js'

/** GPUs in memory; a millijoule entry may be a failure. */
class FakeNvml implements NvmlLike {
  time = 0
  energy: (number | string)[]
  readonly limit: number | undefined

  constructor(energy: (number | string)[], limit?: number) {
    this.energy = energy
    this.limit = limit
  }

  devices(): ReturnType<NvmlLike['devices']> {
    const limit = this.limit === undefined ? {} : { powerLimitMilliwatts: this.limit }
    return this.energy.map((_, index) => ({ index, name: 'Fake GPU', ...limit }))
  }

  totalEnergyMillijoules(index: number): number {
    const energy = this.energy[index]!
    if (typeof energy === 'string') throw new Error(energy)
    return energy
  }
}

async function open(nvml: FakeNvml): Promise<SourceOpening> {
  return nvmlSource({ nvml, now: () => nvml.time }).open()
}

async function accountOf(nvml: FakeNvml): Promise<EnergyAccount> {
  const opening = await open(nvml)
  if (!opening.usable) throw new Error(opening.reasons.join())
  return opening.account
}

test('all GPUs are summed, within what their refresh can hide', async () => {
  const nvml = new FakeNvml([1000, 9_000_000], 400_000)
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
  ['a sentinel', (nvml) => (nvml.energy = [2 ** 64]), /jumped/],
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
