import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { exampleFields, exampleRun, trainingEnergy } from './__fixtures__/example-run.js'
import { canonicalJson } from './canonical-json.js'
import { createRunRecord, formatRunRecord, parseRunRecord, type RunFields } from './run-record.js'

test('the hash is the SHA-256 of everything else as canonical JSON, whatever the order of keys', () => {
  const { hash, ...rest } = exampleRun
  expect(hash).toBe(`sha256:${createHash('sha256').update(canonicalJson(rest)).digest('hex')}`)
  const reversed = Object.fromEntries(Object.entries(exampleFields).toReversed()) as unknown as RunFields
  expect(createRunRecord(reversed).hash).toBe(hash)
  expect(createRunRecord({ ...exampleFields, pue: 1.3 }).hash).not.toBe(hash)
})

test('canonical JSON is that of RFC 8785: its example of sorting, and of numbers', () => {
  expect(
    canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, 1: 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 }),
  ).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}')
  expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0, '\u20ac$\u000f\nA\'B"\\'])).toBe(
    '[333333333.3333333,1e+30,4.5,0.002,1e-27,0,"\u20ac$\\u000f\\nA\'B\\"\\\\"]',
  )
  expect(canonicalJson({ 10: 'a', 9: 'b', gone: undefined })).toBe('{"10":"a","9":"b"}')
})

test('JSON that was parsed has the canonical text of what it was made from', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value)
      expect(canonicalJson(JSON.parse(text))).toBe(text)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

test('a record is frozen, and a file of it gives it back', () => {
  expect(parseRunRecord(formatRunRecord(exampleRun))).toEqual(exampleRun)
  expect(() => {
    ;(exampleRun.phases[0]!.energy as { joules: number }).joules = 0
  }).toThrow(TypeError)
})

test('a changed figure is noticed', () => {
  const changed = formatRunRecord(exampleRun).replace('"joules":7200000', '"joules":7100000')
  expect(changed).not.toBe(formatRunRecord(exampleRun))
  expect(() => parseRunRecord(changed)).toThrow('the hash of what the run holds')
  expect(() => parseRunRecord(formatRunRecord(exampleRun).replace('"estimated"', '"measured"'))).toThrow(
    'hash',
  )
})

const cyclic: Record<string, unknown> = {}
cyclic.self = cyclic
const phase = exampleFields.phases[0]!

test.each<[string, object]>([
  ['no model', { model: undefined }],
  ['an empty name', { model: { name: ' ', version: '1' } }],
  ['no publisher', { publisher: null }],
  ['no hardware', { hardware: [] }],
  ['half a processor', { hardware: [{ kind: 'cpu', name: 'x', count: 0.5 }] }],
  ['null as hardware', { hardware: [null] }],
  ['software without a version', { software: [{ name: 'node' }] }],
  ['an end before the start', { endedAt: '2026-02-01T00:00:00Z' }],
  ['a local time', { startedAt: '2026-03-01T08:00:00' }],
  ['no phases', { phases: [] }],
  ['two phases of one name', { phases: [phase, phase] }],
  ['a stage that is none', { phases: [{ ...phase, stage: 'tuning' }] }],
  ['a phase without energy', { phases: [{ ...phase, energy: undefined }] }],
  ['joules without a method', { phases: [{ ...phase, energy: { joules: 5 } }] }],
  [
    'a better method than there is',
    { phases: [{ ...phase, energy: { ...trainingEnergy, method: 'exact' } }] },
  ],
  ['joules out of their bounds', { phases: [{ ...phase, energy: { ...trainingEnergy, joules: 9e9 } }] }],
  ['negative joules', { phases: [{ ...phase, energy: { ...trainingEnergy, joules: -1, low: -2 } }] }],
  ['joules without domains', { phases: [{ ...phase, energy: { ...trainingEnergy, domains: 5 } }] }],
  ['negative tokens', { phases: [{ ...phase, counts: { outputTokens: -1 } }] }],
  ['NaN', { pue: Number.NaN }],
  ['a PUE below 1', { pue: 0.9 }],
  [
    'a market-based intensity as the location’s',
    { intensity: { location: exampleFields.intensity!.market } },
  ],
  ['no intensity of the location', { intensity: {} }],
  ['a cycle', { extra: cyclic }],
  ['a big integer', { extra: 1n }],
])('%s is refused', (_, wrong) => {
  expect(() => createRunRecord({ ...exampleFields, ...wrong } as RunFields)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_VALUE' }),
  )
})

test.each(['', 'null', '5', '[]', '{', '{"phases":[]}'])('the text %j is no record', (text) => {
  expect(() => parseRunRecord(text)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})

test.each([undefined, null, 5, () => 1])('%o makes no record', (fields) => {
  expect(() => createRunRecord(fields as never)).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
