import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { saveHuggingFace } from '../hugging-face/folder.js'
import { tinyDecoder } from '../testing/tiny.js'
import { byteTokenizer, byteTokenizerConfig, byteTokenizerJson } from './byte-level.js'
import { loadTokenizer, makeTokenizer } from './load.js'
import { TextStream, type Tokenizer } from './tokenizer.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-tokenizer-'))
let loaded: Tokenizer
const bytes = byteTokenizer()

beforeAll(async () => {
  await saveHuggingFace(tinyDecoder(), folder)
  loaded = await loadTokenizer(folder)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('the byte tokenizer and its tokenizer.json read and write the same', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const ids = bytes.encode(text)
      expect(loaded.encode(text)).toEqual(ids)
      expect(loaded.decode(ids)).toBe(bytes.decode(ids))
      expect(bytes.decode(ids)).toBe(text)
    }),
  )
})

test('both render a conversation alike, and end a text alike', () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Who?' },
  ]
  expect(loaded.chat(messages)).toBe(bytes.chat(messages))
  expect(bytes.chat(messages)).toBe('system: Be brief.\nuser: Who?\nassistant:')
  expect(loaded.decode([104, 105, 256])).toBe('hi')
  expect(loaded.vocabSize).toBe(bytes.vocabSize)
})

test.each([-1, 257, 1.5, Number.NaN])('id %d is refused', (id) => {
  for (const tokenizer of [bytes, loaded]) {
    expect(() => tokenizer.decode([id])).toThrow(expect.objectContaining({ code: 'ERR_BIO_INDEX' }) as Error)
  }
})

test.each([-1, 1.5, '97', null, 1e9])('a vocabulary with the id %j is refused', (id) => {
  const json = byteTokenizerJson() as { model: { vocab: Record<string, unknown> } }
  json.model.vocab['a'] = id
  const read = (): Tokenizer =>
    makeTokenizer({ json, config: byteTokenizerConfig(), template: undefined, where: 'folder' })
  expect(read).toThrow(expect.objectContaining({ code: 'ERR_BIO_FORMAT' }) as Error)
})

test('streamed text never shows half a character, and in the end is the whole text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
      for (const tokenizer of [bytes, loaded]) {
        const stream = new TextStream(tokenizer)
        let shown = ''
        for (const id of tokenizer.encode(text)) {
          shown += stream.push(id)
          expect(text.startsWith(shown)).toBe(true)
        }
        expect(shown + stream.end()).toBe(text)
      }
    }),
  )
})

test('bytes that are no UTF-8 come out as replacement characters at the end', () => {
  const stream = new TextStream(bytes)
  expect(stream.push(0xc3)).toBe('')
  expect(stream.end()).toBe('\uFFFD')
})
