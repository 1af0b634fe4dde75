import { expect, test } from 'vitest'
import { accountOf, FakeTree, pass, systemError } from './__fixtures__/fake-tree.js'
import { jetsonSource } from './jetson-source.js'

const chip = '/sys/class/hwmon/hwmon4'
const source = (files: FakeTree): ReturnType<typeof jetsonSource> =>
  jetsonSource({ files, now: () => files.time })

const rail = (
  channel: number,
  name: string,
  millivolts: number,
  milliamperes: number,
): Record<string, string | number> => ({
  [`in${channel}_label`]: name,
  [`in${channel}_input`]: millivolts,
  [`curr${channel}_input`]: milliamperes,
})

test('the input rail holds the others and counts alone, seen a sixth of the time', async () => {
  const tree = new FakeTree().set(chip, {
    name: 'ina3221',
    update_interval: 100,
    ...rail(1, 'VDD_IN', 5000, 2000),
    ...rail(2, 'VDD_CPU_GPU_CV', 5000, 800),
    ...rail(3, 'VDD_SOC', 5000, 400),
  })
  const account = await accountOf(source(tree))
  pass(tree, account, 1)
  const span = account.startSpan()
  pass(tree, account, 60)
  const reading = span.read()
  expect(reading).toMatchObject({
    method: 'derived',
    boundary: 'node',
    domains: ['vdd_in'],
    source: 'jetson',
  })
  expect(reading.joules).toBeCloseTo(600, 3)
  expect(reading.coverage).toBeCloseTo(1 / 6, 1)
  expect(reading.low).toBeGreaterThan(40)
})

test('without an input rail all rails of all chips are summed', async () => {
  const tree = new FakeTree()
    .set(chip, {
      name: 'ina3221',
      ...rail(1, 'VDD_GPU_SOC', 5000, 1000),
      ...rail(2, 'VDD_CPU_CV', 5000, 600),
      ...rail(3, 'NC', 9, 9),
    })
    .set('/sys/class/hwmon/hwmon5', { name: 'ina3221', ...rail(1, 'VDDQ', 5000, 400) })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  pass(tree, account, 10)
  expect(span.read()).toMatchObject({
    joules: expect.closeTo(100, 3),
    boundary: 'device',
    domains: ['vdd_gpu_soc', 'vdd_cpu_cv', 'vddq'],
  })
})

test('the older driver is read where the newer is not there', async () => {
  const tree = new FakeTree().set('/sys/bus/i2c/drivers/ina3221x/1-0040/iio:device0', {
    rail_name_0: 'POM_5V_IN',
    in_power0_input: 4000,
    rail_name_1: 'POM_5V_GPU',
    in_power1_input: 1000,
  })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  pass(tree, account, 10)
  expect(span.read()).toMatchObject({ joules: expect.closeTo(40, 3), domains: ['pom_5v_in'] })
})

test('a rail without current is left out and named; one that fails makes the reading unavailable', async () => {
  const tree = new FakeTree().set(chip, {
    name: 'ina3221',
    ...rail(1, 'VDD_GPU_SOC', 5000, 1000),
    in2_label: 'VDD_CPU_CV',
    in2_input: 5000,
  })
  const account = await accountOf(source(tree))
  const span = account.startSpan()
  pass(tree, account, 1)
  expect(span.read().reasons.join()).toContain('VDD_CPU_CV is left out')
  tree.set(chip, { curr1_input: systemError('EREMOTEIO') })
  pass(tree, account, 1)
  expect(span.read()).toMatchObject({
    joules: null,
    reasons: expect.arrayContaining([expect.stringContaining('EREMOTEIO')]),
  })
})

test.each<[string, FakeTree, RegExp]>([
  ['no Jetson', new FakeTree(), /neither .* has an INA3221/],
  [
    'a rail that cannot be read',
    new FakeTree().set(chip, {
      name: 'ina3221',
      ...rail(1, 'VDD_IN', 5, 5),
      curr1_input: systemError('EACCES'),
    }),
    /EACCES/,
  ],
])('%s: unusable, with the reason', async (_, tree, reason) => {
  const opening = await source(tree).open()
  expect(opening.usable).toBe(false)
  expect(opening.reasons.join()).toMatch(reason)
})

test('an empty root is refused', () => {
  expect(() => jetsonSource({ root: '' })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
