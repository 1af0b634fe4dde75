import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { TourReport } from './report.js'
import { tour } from './tour.js'

const out = mkdtempSync(join(tmpdir(), 'bio-tour-'))
let report: TourReport

beforeAll(async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  report = await tour({ size: 'small', out })
  log.mockRestore()
}, 300_000)
afterAll(() => rmSync(out, { recursive: true, force: true }))

test('it writes the report, the page and a model that can be loaded again', () => {
  expect(JSON.parse(readFileSync(join(out, 'tour.json'), 'utf8'))).toEqual(JSON.parse(JSON.stringify(report)))
  expect(readFileSync(join(out, 'tour.html'), 'utf8')).toContain('Continual learning')
  const config = JSON.parse(readFileSync(join(out, 'model/config.json'), 'utf8')) as object
  expect(config).toMatchObject({ model_type: 'mixtral', num_local_experts: 8 })
})

test('the decoder learns: far fewer bits than the frequencies of bytes need, and no expert dies', () => {
  const { bitsPerByteStart, bitsPerByteEnd, unigramBitsPerByte, deadExperts } = report.train
  expect(bitsPerByteStart).toBeGreaterThan(unigramBitsPerByte)
  expect(bitsPerByteEnd).toBeLessThan(unigramBitsPerByte - 1.5)
  expect(deadExperts).toBe(0)
})

test('replay forgets less than half of what naive training forgets', () => {
  const { naive, replay } = report.continual
  const forgot = ({ oldBefore, oldAfter }: typeof naive): number => oldAfter - oldBefore
  expect(forgot(naive)).toBeGreaterThan(0)
  expect(forgot(replay)).toBeLessThan(forgot(naive) / 2)
})

test('int8 and int4 keep the bits per byte at a fraction of the bytes', () => {
  const [full, int8, int4] = report.quantize
  expect(int8!.bitsPerByte / full!.bitsPerByte).toBeLessThan(1.005)
  expect(int4!.bitsPerByte / full!.bitsPerByte).toBeLessThan(1.03)
  // 64 columns share one scale of 4 bytes here: 1/4 + 1/64.
  expect(int8!.bytes / full!.bytes).toBeLessThanOrEqual(0.28)
  expect(int4!.bytes / full!.bytes).toBeLessThanOrEqual(0.17)
})

test('batched serving gives the tokens of one at a time, and computes a shared prompt once', () => {
  const { identicalTokens, prefilledTokens, uniquePromptTokens, clients, blockTokens, promptTokens } =
    report.serve
  expect(identicalTokens).toBe(true)
  expect(prefilledTokens).toBeLessThanOrEqual(uniquePromptTokens + clients * blockTokens)
  expect(promptTokens).toBeGreaterThan(5 * prefilledTokens)
})

test('no joule is without its method, and an estimate has its band and its reason, in the report and on the page', () => {
  const { energy, train } = report
  for (const [{ method, low, high, reasons }, joules] of [
    [energy, energy.joulesPerToken],
    [energy.baseline, energy.baseline.joulesPerToken],
    [train.energy, train.energy.joules],
  ] as const) {
    expect(['measured', 'derived', 'estimated', 'unavailable']).toContain(method)
    if (method === 'unavailable') expect(joules).toBeNull()
    else expect(low! <= joules! && joules! <= high!).toBe(true)
    if (method === 'estimated') expect(low).toBeLessThan(high!)
    if (method !== 'measured') expect(reasons.join()).not.toBe('')
  }
  const page = readFileSync(join(out, 'tour.html'), 'utf8')
  expect(page).toContain(`Energy is ${energy.method}`)
  expect(page).toContain(`Joules since the first step, ${train.energy.method}`)
})
