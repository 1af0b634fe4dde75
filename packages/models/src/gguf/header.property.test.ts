import fc from 'fast-check'
import { expect, test } from 'vitest'
import { f32, metadataOf, tensorsOf, writeGguf } from '../testing/gguf-writer.js'
import { tinyConfig, tinyDecoder } from '../testing/tiny.js'
import { fromMetadata } from './config.js'
import type { ByteSource } from './file.js'
import { readHeader } from './header.js'
import { weightsOf } from './names.js'
import { ggufTokenizer } from './tokenizer.js'

const whole = writeGguf(metadataOf(tinyConfig), tensorsOf(tinyDecoder(), f32))
/** A file in memory, which reads nothing that is not there. */
const source = (bytes: Uint8Array): ByteSource => ({
  path: 'memory.gguf',
  size: bytes.length,
  read(into, position) {
    expect(position + into.length).toBeLessThanOrEqual(bytes.length)
    into.set(bytes.subarray(position, position + into.length))
  },
})

/** Everything that a load reads before it reads weights. */
function readAll(bytes: Uint8Array): void {
  const header = readHeader(source(bytes))
  const config = fromMetadata(header, 'memory.gguf')
  ggufTokenizer(header, 'memory.gguf')
  for (const { parts, experts, rows } of weightsOf(header, config, 'memory.gguf'))
    for (const { tensor, place } of parts) {
      expect(tensor.begin + tensor.experts * tensor.rows * tensor.rowBytes).toBeLessThanOrEqual(bytes.length)
      for (let row = 0; row < tensor.experts * tensor.rows; row++)
        expect(place(row)).toBeLessThan(experts * rows)
    }
}

/** What a damaged file may be told. */
const codes = ['ERR_BIO_FORMAT', 'ERR_BIO_UNSUPPORTED', 'ERR_BIO_CONFIG']

const headerLength = readHeader(source(whole)).tensors.get('token_embd.weight')!.begin
/** Bytes of the header to change, and to what. */
const damage = fc.array(fc.tuple(fc.nat(headerLength), fc.nat(255)), {
  minLength: 1,
  maxLength: 4,
})

test('a damaged header is read or refused with a code, whatever byte is damaged, and nothing is read past the end', () => {
  readAll(whole)
  let refused = 0
  fc.assert(
    fc.property(damage, fc.option(fc.nat(whole.length)), (bytes, cut) => {
      const copy = whole.slice(0, cut ?? whole.length)
      for (const [at, value] of bytes) if (at < copy.length) copy[at] = value
      try {
        readAll(copy)
      } catch (error) {
        refused += 1
        expect(codes, String((error as Error).stack)).toContain((error as { code?: string }).code)
      }
    }),
    { numRuns: process.env['BIO_SLOW'] === '1' ? 50_000 : 400 },
  )
  expect(refused).toBeGreaterThan(50)
})

test('bytes of any kind are refused with a code', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (tail) => {
      for (const bytes of [tail, Uint8Array.from([...whole.subarray(0, 24), ...tail])]) {
        try {
          readAll(bytes)
          expect.fail('read')
        } catch (error) {
          expect(codes, String((error as Error).stack)).toContain((error as { code?: string }).code)
        }
      }
    }),
    { numRuns: 400 },
  )
})
