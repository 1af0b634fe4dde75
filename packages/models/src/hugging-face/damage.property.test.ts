import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tinyConfig } from '../testing/tiny.js'
import { byteTokenizerConfig, byteTokenizerJson } from '../tokenizer/byte-level.js'
import { makeTokenizer } from '../tokenizer/load.js'
import { fromHuggingFaceConfig, toHuggingFaceConfig } from './config.js'

const numRuns = process.env['BIO_SLOW'] === '1' ? 10_000 : 300

/** JSON with one value somewhere in it replaced, or left out; each step goes to one of the names there. */
interface Damage {
  readonly way: readonly number[]
  readonly value: unknown
  readonly leaveOut: boolean
}

const damage: fc.Arbitrary<Damage> = fc.record({
  way: fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 }),
  value: fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(0, -1, 0.5, 1e9, 2 ** 53, 1e308, '', '32', null, [], {}, true),
  ),
  leaveOut: fc.boolean(),
})

function damaged(json: unknown, { way, value, leaveOut }: Damage): unknown {
  const copy = structuredClone(json)
  let place = copy as Record<string, unknown>
  for (const [depth, step] of way.entries()) {
    const names = Object.keys(place)
    const name = names[step % names.length]
    if (name === undefined) break
    const inner = place[name]
    if (depth + 1 < way.length && typeof inner === 'object' && inner !== null) {
      place = inner as Record<string, unknown>
      continue
    }
    if (leaveOut) delete place[name]
    else place[name] = value
    break
  }
  return copy
}

const codes = ['ERR_BIO_FORMAT', 'ERR_BIO_UNSUPPORTED', 'ERR_BIO_CONFIG']

/** Whether something was read; a refusal has a code. */
function reads(read: () => void): boolean {
  try {
    read()
    return true
  } catch (error) {
    expect(codes, String((error as Error).stack)).toContain((error as { code?: string }).code)
    return false
  }
}

test('a damaged config.json is read or refused with a code', () => {
  const whole = toHuggingFaceConfig(tinyConfig, 256)
  let refused = 0
  fc.assert(
    fc.property(damage, (change) => {
      if (!reads(() => fromHuggingFaceConfig(damaged(whole, change), 'config.json'))) refused += 1
    }),
    { numRuns },
  )
  expect(refused).toBeGreaterThan(50)
  for (const json of [null, 1, 'text', [], {}])
    expect(reads(() => fromHuggingFaceConfig(json, 'config.json'))).toBe(false)
})

test('a damaged tokenizer.json or tokenizer_config.json is read or refused with a code, and what is read encodes and decodes', () => {
  const [json, config] = [byteTokenizerJson() as object, byteTokenizerConfig()]
  let refused = 0
  const read = (parts: { json: unknown; config: unknown }): void => {
    const { encode, decode, vocabSize } = makeTokenizer({
      json: parts.json as object,
      config: parts.config as Record<string, unknown>,
      template: undefined,
      where: 'folder',
    })
    decode(encode('naïve → 🧠').filter((id) => id < vocabSize))
  }
  fc.assert(
    fc.property(damage, fc.boolean(), (change, ofConfig) => {
      const parts = ofConfig
        ? { json, config: damaged(config, change) }
        : { json: damaged(json, change), config }
      if (!reads(() => read(parts))) refused += 1
    }),
    { numRuns },
  )
  expect(refused).toBeGreaterThan(20)
})
