import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { afterAll, expect, test } from 'vitest'
import { loadNativeKernels, openNvml } from '@bio/kernels'
import type { Reading } from '../reading/reading.js'
import type { EnergyAccount, SourceOpening } from '../source.js'
import { FakeLibrary, type FakeGpu } from './__fixtures__/fake-nvml.js'
import { nvmlSource } from './nvml-source.js'

// What the driver's library can do wrong, through the real binding: a library built from C stands in for NVIDIA's.
const fake = canLoad() ? FakeLibrary.build() : undefined
const native = test.skipIf(fake === undefined)
afterAll(() => fake?.[Symbol.dispose]())

function canLoad(): boolean {
  try {
    loadNativeKernels()
    return true
  } catch (error) {
    console.log(`skipped: ${(error as Error).message}`)
    return false
  }
}

/** Ampere at a steady 300 W, counted in real time. */
const steady: FakeGpu = {
  uuid: 'GPU-0',
  limit: 400_000,
  compute: '8.6',
  energy: '@300',
  power: 300_000,
  refresh: 20,
}

async function open(gpus: readonly FakeGpu[], rest: readonly string[] = []): Promise<SourceOpening> {
  fake!.answer(gpus, rest)
  const environment = { CUDA_VISIBLE_DEVICES: undefined }
  return nvmlSource({ nvml: openNvml({ path: fake!.path }), hertz: 100, environment }).open()
}

async function accountOf(gpus: readonly FakeGpu[]): Promise<EnergyAccount> {
  const opening = await open(gpus)
  if (!opening.usable) throw new Error(opening.reasons.join())
  return opening.account
}

function wait(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}

/** Measures while the GPUs go through the given answers, 150 ms each. */
async function through(first: FakeGpu, ...then: readonly FakeGpu[]): Promise<Reading> {
  const account = await accountOf([first])
  const span = account.startSpan()
  wait(150)
  for (const gpu of then) {
    fake!.answer([gpu])
    wait(150)
  }
  const reading = span.read()
  account.close?.()
  return reading
}

function expectToHold(reading: Reading, joules: number): void {
  expect(reading.joules).not.toBeNull()
  expect(reading.low!).toBeLessThanOrEqual(joules)
  expect(reading.high!).toBeGreaterThanOrEqual(joules)
}

native(
  'a steady GPU: the truth lies within the bounds, and the thread saw it while JavaScript was blocked',
  async () => {
    const reading = await through(steady)
    expectToHold(reading, 300 * reading.seconds)
    expect(reading).toMatchObject({
      method: 'measured',
      source: 'nvml',
      domains: ['gpu-0'],
      reasons: [],
      coverage: 1,
    })
    expect(reading.samples).toBeGreaterThan(3)
  },
)

const survived: Record<string, readonly [FakeGpu, FakeGpu, RegExp]> = {
  'no counter (before Volta): the power is integrated': [
    { ...steady, energy: '!3', compute: '6.1' },
    { ...steady, energy: '!3', compute: '6.1' },
    /integrated from its power/,
  ],
  'the driver is loaded again: the power is integrated': [
    steady,
    { ...steady, energy: 500 },
    /driver reload.*integrated/,
  ],
  'the counter fails at the end: the power is integrated': [
    steady,
    { ...steady, energy: '!999' },
    /internal driver error.*integrated/,
  ],
  'the counter shows a sentinel: the power is integrated': [
    steady,
    { ...steady, energy: '18446744073709551615' },
    /NVML gave 18446744073709552000 mJ.*integrated/,
  ],
  'the power fails: the counter stands alone': [steady, { ...steady, power: '!999' }, /^$/],
  'the power shows a sentinel: the counter stands alone': [steady, { ...steady, power: 4_294_967_295 }, /^$/],
  'the power is not told: the counter stands alone': [
    { ...steady, power: '!3' },
    { ...steady, power: '!3' },
    /^$/,
  ],
  'no limit is told': [{ ...steady, limit: '!3' }, { ...steady, limit: '!3' }, /^$/],
  'a sensor that looks a quarter of the time (A100)': [
    { ...steady, compute: '8.0' },
    { ...steady, compute: '8.0' },
    /its sensor looks at about 25 % of the time/,
  ],
  'a sensor that looks a quarter of the time (H100)': [
    { ...steady, compute: '9.0' },
    { ...steady, compute: '9.0' },
    /25 % of the time/,
  ],
  'a GPU that refuses for a moment in between': [steady, { ...steady, handle: '!15' }, /^$/],
}

native.each(Object.entries(survived))('%s', async (name, [first, second, reason]) => {
  const back = name.includes('moment') ? [second, first] : [second]
  const reading = await through(first, ...back)
  expectToHold(reading, 300 * reading.seconds)
  expect(reading.reasons.join()).toMatch(reason)
  // before Volta the sensor shows moments, between which nothing is known
  const alone = name.includes('before Volta') ? 'estimated' : 'derived'
  const expected = /integrated/.test(name) ? alone : 'measured'
  expect(reading.method).toBe(expected)
  if (name.includes('quarter')) expect(reading.coverage).toBe(0.25)
})

const lost: Record<string, readonly [FakeGpu, RegExp]> = {
  'a GPU that falls off the bus': [{ ...steady, handle: '!15' }, /gpu-0: NVML: device fell off the bus/],
  'a GPU that must be reset': [{ ...steady, handle: '!16' }, /requires a reset/],
  'a library that forgot that it was opened': [{ ...steady, energy: '!1', power: '!1' }, /Nvml::init/],
  'a permission that is withdrawn': [{ ...steady, energy: '!4', power: '!4' }, /permission/],
  'an unknown error': [{ ...steady, energy: '!999', power: '!999' }, /internal driver error/],
  'a driver reload, and a power sentinel': [
    { ...steady, energy: 500, power: 4_294_967_295 },
    /driver reload.*shows 4294967.295 W/,
  ],
}

native.each(Object.entries(lost))('%s: unavailable, with the reason', async (_, [gpu, reason]) => {
  const reading = await through(steady, gpu)
  expect(reading).toMatchObject({ joules: null, low: null, high: null, method: 'unavailable' })
  expect(reading.reasons.join()).toMatch(reason)
})

native('of two GPUs one may be divided into instances and not tell', async () => {
  const divided = { ...steady, uuid: 'GPU-1', mig: 1, energy: '!3', power: '!3' }
  const opening = await open([steady, divided], ['instance 1 0 MIG-abc'])
  expect(opening).toMatchObject({
    usable: true,
    reasons: [
      expect.stringMatching(
        /^gpu-1 \(Fake-1, divided into instances \(MIG\)\) is left out: NVML: .*not available/,
      ),
    ],
  })
})

native.each<[string, string, string[]]>([
  ['a number', '1', ['gpu-1']],
  ['the beginning of a UUID', 'GPU-0', ['gpu-0']],
  ['an instance', 'MIG-abc', ['gpu-1']],
])('CUDA_VISIBLE_DEVICES as %s chooses what is counted', async (_, wish, domains) => {
  fake!.answer([steady, { ...steady, uuid: 'GPU-1', mig: 1 }], ['instance 1 0 MIG-abc'])
  const environment = { CUDA_VISIBLE_DEVICES: wish }
  const opening = await nvmlSource({ nvml: openNvml({ path: fake!.path }), environment }).open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  expect(opening.account.startSpan().read().domains).toEqual(domains)
  opening.account.close?.()
})

native.each<[string, FakeGpu[], RegExp]>([
  ['no GPU', [], /lists no GPU/],
  ['a GPU that tells neither', [{ ...steady, energy: '!3', power: '!3' }], /gpu-0 .*not available/],
  ['a GPU that is lost', [{ ...steady, handle: '!15' }], /fell off the bus/],
])('%s: unusable, with the reason', async (_, gpus, reason) => {
  const opening = await open(gpus)
  expect(opening.usable).toBe(false)
  expect(opening.reasons.join()).toMatch(reason)
})

native.each<[string, string, RegExp]>([
  ['no driver', 'init 9', /driver is not loaded/],
  ['a driver of another version', 'init 18', /version mismatch/],
  ['no permission', 'init 4', /permission/],
])('%s: opening the library says so', (_, line, reason) => {
  fake!.answer([steady], [line])
  expect(() => openNvml({ path: fake!.path })).toThrow(reason)
})

native('the library is found by the name with the version alone, as most machines have it', () => {
  fake!.answer([steady])
  const binary = Object.keys(createRequire(import.meta.url).cache).find((path) => path.endsWith('.node'))!
  const script = `console.log(require(${JSON.stringify(binary)}).openNvml().devices()[0].name)`
  const env = { ...process.env, LD_LIBRARY_PATH: fake!.folder }
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { env, encoding: 'utf8' })
  expect(stdout + stderr).toBe('Fake-0\n')
})
