import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { monotonicSeconds, type EnergyAccount } from '../source.js'
import { accountOf, FakeTree, pass } from './__fixtures__/fake-tree.js'
import { amdGpuSource } from './amd-gpu-source.js'
import { openAmdSmi, parseAmdSmi } from './amd-smi.js'

const [first, second] = ['/sys/class/hwmon/hwmon0', '/sys/class/hwmon/hwmon1']
const folder = mkdtempSync(join(tmpdir(), 'bio-amd-smi-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A tool that prints one answer after another, the last again and again. */
function fakeTool(answers: readonly string[]): string[] {
  const state = mkdtempSync(join(folder, 'tool-'))
  writeFileSync(join(state, 'answers.json'), JSON.stringify(answers))
  writeFileSync(
    join(state, 'tool.mjs'),
    `import { readFileSync, writeFileSync } from 'node:fs'
     const [answer, ...rest] = JSON.parse(readFileSync('${state}/answers.json', 'utf8'))
     if (rest.length > 0) writeFileSync('${state}/answers.json', JSON.stringify(rest))
     console.log(answer)`,
  )
  return [process.execPath, join(state, 'tool.mjs')]
}

const gpu = (index: number, watts: unknown, joules: unknown): object => ({
  gpu: index,
  power: { socket_power: { value: watts, unit: 'W' } },
  energy: { total_energy_consumption: { value: joules, unit: 'J' } },
})

const blind = new FakeTree().set(first, { name: 'amdgpu', temp1_input: 40_000 })

function openTool(answers: readonly string[]): { account: EnergyAccount; close: () => void } {
  const opening = openAmdSmi({
    command: fakeTool(answers),
    reasons: [],
    now: monotonicSeconds,
    pollSeconds: 0.05,
  })
  if (!opening.usable) throw new Error(opening.reasons.join())
  return { account: opening.account, close: () => opening.account.close!() }
}

test('the power of boards is integrated, an estimate since its averaging is documented nowhere', async () => {
  const tree = new FakeTree().set(first, { name: 'amdgpu', power1_average: 150e6, power1_cap_max: 300e6 })
  const account = await accountOf(amdGpuSource({ files: tree, now: () => tree.time }))
  pass(tree, account, 1)
  const span = account.startSpan()
  pass(tree, account, 10)
  const reading = span.read()
  expect(reading).toMatchObject({ method: 'estimated', source: 'amd-gpu', domains: ['amd-gpu-0'] })
  expect(reading.joules).toBeCloseTo(1500, 3)
})

test('the second die of a board shows 0 W: the sum is of the first, and says so', async () => {
  const tree = new FakeTree()
    .set(first, { name: 'amdgpu', power1_average: 400e6 })
    .set(second, { name: 'amdgpu', power1_average: 0 })
  const account = await accountOf(amdGpuSource({ files: tree, now: () => tree.time }))
  const span = account.startSpan()
  pass(tree, account, 10)
  expect(span.read().joules).toBeCloseTo(4000, 0)
  expect(span.read().reasons.join()).toContain('amd-gpu-1 shows 0 W: the second die of a board')
})

test.each<[string, FakeTree, RegExp]>([
  ['no AMD GPU', new FakeTree().set(first, { name: 'nvme' }), /no chip of amdgpu/],
  [
    'graphics within a processor',
    new FakeTree().set(first, { name: 'amdgpu', power1_input: 9e6, in1_input: 900 }),
    /lies within a processor/,
  ],
  ['no hwmon', new FakeTree(), /cannot be listed/],
])('%s: nothing to count, with the reason', async (_, tree, reason) => {
  const opening = await amdGpuSource({ files: tree }).open()
  expect(opening).toMatchObject({ usable: false, present: false })
  expect(opening.reasons.join()).toMatch(reason)
})

test('a board of no power to see is asked of the tool', async () => {
  const opening = await amdGpuSource({ files: blind, command: fakeTool(['[]']) }).open()
  expect(opening).toMatchObject({ usable: true, reasons: [expect.stringContaining('shows no power')] })
  if (opening.usable) opening.account.close!()
})

test('neither power nor tool: unusable though present, with a cure', async () => {
  expect(await amdGpuSource({ files: blind, command: ['no-such-amd-smi'] }).open()).toMatchObject({
    usable: false,
    present: true,
    reasons: [expect.stringContaining('shows no power'), 'there is no no-such-amd-smi'],
    cure: expect.stringContaining('amd-smi'),
  })
})

test('where the kernel shows no power the tool is asked, and until it answers readings are unavailable', async () => {
  const { account, close } = openTool([
    JSON.stringify({ gpu_data: [gpu(0, 100, 1000), gpu(1, 'N/A', 'N/A')] }),
    JSON.stringify({ gpu_data: [gpu(0, 100, 1200), gpu(1, 'N/A', 'N/A')] }),
  ])
  try {
    expect(account.startSpan().read().joules).toBeNull()
    await vi.waitFor(() => expect(account.startSpan().read().joules).not.toBeNull(), 10_000)
    const span = account.startSpan()
    await vi.waitFor(() => expect(span.read().joules).toBeGreaterThan(0), 10_000)
    const reading = span.read()
    expect(reading).toMatchObject({ method: 'measured', source: 'amd-smi', domains: ['amd-gpus'] })
    expect(reading.high).toBeGreaterThanOrEqual(200)
  } finally {
    close()
  }
})

test.each<[string, readonly string[], RegExp]>([
  ['prints no JSON', ['ERROR: driver not loaded'], /amd-smi: .*JSON/],
  ['lists no GPU', ['[]'], /lists no GPU/],
  ['counts none of the GPUs', [JSON.stringify([gpu(0, 0, 'N/A')])], /no GPU has an energy counter/],
  [
    'cannot count a GPU that draws power',
    [JSON.stringify([gpu(0, 90, 5), gpu(1, 90, 'N/A')])],
    /GPU 1 has no energy counter/,
  ],
  [
    'counts a hundredth of the power',
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((joules) => JSON.stringify([gpu(0, 300, joules)])),
    /its counter says \d+ W, its power 300 W/,
  ],
  ['runs backwards', [JSON.stringify([gpu(0, 300, 1000)]), JSON.stringify([gpu(0, 300, 900)])], /went back/],
])('a tool that %s makes readings unavailable, with the reason', async (_, answers, reason) => {
  const { account, close } = openTool(answers)
  try {
    const spans = [account.startSpan()]
    await vi.waitFor(() => {
      spans.push(account.startSpan())
      expect(spans.map((span) => span.read().reasons.join()).join()).toMatch(reason)
    }, 10_000)
  } finally {
    close()
  }
})

test('both forms of the tool’s JSON are read; N/A and words are no numbers', () => {
  const expected = [{ index: 3, watts: 20, joules: undefined }]
  expect(parseAmdSmi(JSON.stringify([gpu(3, 20, 'N/A')]))).toEqual(expected)
  expect(parseAmdSmi(JSON.stringify({ gpu_data: [gpu(3, 20, -1)] }))).toEqual(expected)
  for (const text of ['null', '{}', '{"gpu_data":[]}', 'x']) expect(() => parseAmdSmi(text)).toThrow()
})

test('an empty root and an empty command are refused', () => {
  const refused = expect.objectContaining({ code: 'ERR_BIO_VALUE' })
  expect(() => amdGpuSource({ root: '' })).toThrow(refused)
  expect(() => amdGpuSource({ command: [] })).toThrow(refused)
})
