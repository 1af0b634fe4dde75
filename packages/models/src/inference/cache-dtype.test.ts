import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PagedKvCache, type PagedKvCacheOptions } from '@bio/kv-cache'
import { AdamW, crossEntropy, fromData } from '@bio/tensor'
import { expect, test } from 'vitest'
import type { Decoder } from '../decoder/decoder.js'
import { tinyConfig, tinyDecoder } from '../testing/tiny.js'
import { bitsPerByte } from './bits-per-byte.js'

const [windows, length] = [8, 64]
const text = readFileSync(createRequire(import.meta.url).resolve('typescript/lib/lib.es5.d.ts'))
const cut = 100_000
const heldOut = text.subarray(cut, cut + windows * length + 1)

/** A tiny decoder that has seen 64,000 bytes before the held-out ones. */
function trained(): Decoder {
  const decoder = tinyDecoder()
  const optimizer = new AdamW(decoder.parameters(), { lr: 1e-2 })
  const [batch, count] = [8, 512]
  for (let step = 0; step < 125; step++) {
    const ids = Int32Array.from(text.subarray(step * count, (step + 1) * count + 1))
    const { logits, balanceLoss } = decoder.forward(fromData(ids.slice(0, -1), [count]), { batch })
    crossEntropy(logits, fromData(ids.slice(1), [count]))
      .add(balanceLoss)
      .backward()
    optimizer.step()
    optimizer.zeroGrad()
  }
  return decoder
}

/** `bitsPerByte` of the held-out text, a byte at a time through a cache. */
function steppedBits(decoder: Decoder, options: Pick<PagedKvCacheOptions, 'dtype' | 'kernels'>): number {
  const { layers, kvHeads, headDim } = tinyConfig
  using cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 8, bytes: 2 ** 20, ...options })
  const runs = Array.from({ length: windows }, (_, window) => {
    const bytes = Int32Array.from(heldOut.subarray(window * length, (window + 1) * length + 1))
    const sequence = cache.open(Int32Array.of())
    sequence.reserve(length)
    return { bytes, sequence }
  })
  let nats = 0
  for (let start = 0; start < length; start++) {
    const chunks = runs.map(({ bytes, sequence }) => ({
      sequence,
      tokens: bytes.subarray(start, start + 1),
      start,
    }))
    const logits = fromData(decoder.step(chunks, cache), [windows, tinyConfig.vocabSize])
    const next = Int32Array.from(runs, ({ bytes }) => bytes[start + 1]!)
    nats += crossEntropy(logits, fromData(next, [windows]), { reduction: 'sum' }).item()
    for (const [index, { sequence }] of runs.entries()) sequence.commit(chunks[index]!.tokens)
  }
  return nats / Math.LN2 / (windows * length)
}

test('a trained decoder loses at most 0.1 % of its bits per byte to a bf16 cache, 0.5 % to int8', () => {
  const decoder = trained()
  const exact = steppedBits(decoder, { dtype: 'f32' })
  expect(exact).toBeCloseTo(bitsPerByte(decoder, heldOut, { length }), 4)
  const change = (options: Pick<PagedKvCacheOptions, 'dtype' | 'kernels'>): number =>
    Math.abs(steppedBits(decoder, options) / exact - 1)
  const [bf16, int8] = [change({ dtype: 'bf16' }), change({ dtype: 'int8' })]
  const nothing = change({ kernels: { pagedWrite: () => {} } })
  expect(bf16).toBeLessThanOrEqual(0.001)
  expect(int8).toBeLessThanOrEqual(0.005)
  expect(Math.min(bf16, int8)).toBeGreaterThan(0) // both were rounded
  expect(nothing).toBeGreaterThan(0.05) // the decoder needs what the cache holds
})
