import { PagedKvCache, type KvDtype, type Sequence } from '@bio/kv-cache'
import { quantize } from '@bio/precision'
import { crossEntropy, fromData, noGrad, Rng } from '@bio/tensor'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tinyConfig, tinyDecoder } from '../testing/tiny.js'
import { decoderConfig } from './config.js'
import type { Decoder } from './decoder.js'

const decoder = tinyDecoder()

function newCache(dtype: KvDtype = 'f32'): PagedKvCache {
  const { layers, kvHeads, headDim } = tinyConfig
  return new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 4, bytes: 2 ** 20, dtype })
}

const promptOf = (seed: number, length: number): Int32Array => {
  const rng = new Rng(seed)
  return Int32Array.from({ length }, () => rng.int(257))
}

/** Logits after the last token of a prompt that is computed alone and at once. */
function alone(model: Decoder, prompt: Int32Array, dtype?: KvDtype): Float32Array {
  using cache = newCache(dtype)
  const sequence = cache.open(prompt)
  sequence.reserve(prompt.length)
  return model.step([{ sequence, tokens: prompt, start: 0 }], cache)
}

test('step computes what forward computes, to rounding', () => {
  const prompt = promptOf(3, 23)
  const { logits } = noGrad(() => decoder.forward(fromData(prompt, [prompt.length]), { batch: 1 }))
  const last = (logits.data as Float32Array).subarray(22 * 257)
  const stepped = alone(decoder, prompt)
  for (let id = 0; id < 257; id++) expect(Math.abs(stepped[id]! - last[id]!)).toBeLessThan(2e-5)
})

test.each([
  ['f32', 'f32'],
  ['bf16', 'f32'],
  ['int8', 'f32'],
  ['int4', 'f32'],
  ['f32', 'bf16'],
  ['f32', 'int8'],
] as const)(
  'weights in %s, cache in %s: logits have the same bits alone, in any batch, in any chunks and blocks, after a cache hit',
  (weights, dtype) => {
    using quantized = quantize(decoder, { weights })
    const { model } = quantized
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            seed: fc.nat(3),
            length: fc.integer({ min: 1, max: 40 }),
            cut: fc.integer({ min: 1, max: 17 }),
          }),
          {
            minLength: 1,
            maxLength: 5,
          },
        ),
        (requests) => {
          using cache = newCache(dtype)
          // Blocks lie in another order than alone.
          const holes = requests.map(({ cut }) => {
            const hole = cache.open(Int32Array.of())
            hole.reserve(4 * cut)
            return hole
          })
          for (const hole of holes) hole.close()
          // All requests move on together, each by chunks of its own; equal seeds share prefixes through the cache.
          const states = requests.map(({ seed, length, cut }) => {
            const prompt = promptOf(seed, length)
            const sequence: Sequence = cache.open(prompt)
            sequence.reserve(length - sequence.cachedTokens)
            return { prompt, sequence, cut, logits: undefined as Float32Array | undefined }
          })
          for (;;) {
            const pending = states.filter(({ sequence, prompt }) => sequence.length < prompt.length)
            if (pending.length === 0) break
            const chunks = pending.map(({ sequence, prompt, cut }) => {
              const start = sequence.length
              return { sequence, tokens: prompt.subarray(start, start + cut), start }
            })
            const logits = model.step(chunks, cache)
            pending.forEach((state, index) => {
              state.sequence.commit(chunks[index]!.tokens)
              state.logits = logits.slice(index * 257, (index + 1) * 257)
            })
          }
          for (const { prompt, logits, sequence } of states) {
            if (logits !== undefined) expect(logits).toEqual(alone(model, prompt, dtype))
            sequence.close()
          }
        },
      ),
      { numRuns: 12 },
    )
  },
)

test('a few steps of training lower the loss and keep every expert alive', async () => {
  const { AdamW } = await import('@bio/tensor')
  const model = tinyDecoder(2)
  const optimizer = new AdamW(model.parameters(), { lr: 3e-3 })
  const ids = Int32Array.from(new TextEncoder().encode('the brain runs on twenty watts. '.repeat(2)))
  const [x, y] = [fromData(ids.slice(0, 63), [63]), fromData(ids.slice(1), [63])]
  let first = 0
  let last = 0
  for (let step = 0; step < 60; step++) {
    const { logits, balanceLoss, experts } = model.forward(x, { batch: 1 })
    const loss = crossEntropy(logits, y)
    loss.add(balanceLoss).backward()
    optimizer.step()
    optimizer.zeroGrad()
    last = loss.item()
    first ||= last
    for (const aux of experts) expect(aux.deadExperts).toBe(0)
  }
  expect(first).toBeGreaterThan(5)
  expect(last).toBeLessThan(1)
})

test.each([
  [{ headDim: 11 }, 'ERR_BIO_CONFIG'],
  [{ topK: 1 }, 'ERR_BIO_CONFIG'],
  [{ topK: 9 }, 'ERR_BIO_CONFIG'],
  [{ kvHeads: 3 }, 'ERR_BIO_CONFIG'],
  [{ layers: 0 }, 'ERR_BIO_CONFIG'],
  [{ maxPositions: 1.5 }, 'ERR_BIO_CONFIG'],
])('a shape that no decoder has is refused: %o', (change, code) => {
  expect(() => decoderConfig({ ...tinyConfig, ...change })).toThrow(
    expect.objectContaining({ code }) as Error,
  )
})

test('a position past the longest is refused before anything is computed', () => {
  using cache = newCache()
  const prompt = promptOf(1, 97)
  const sequence = cache.open(prompt)
  sequence.reserve(97)
  expect(() => decoder.step([{ sequence, tokens: prompt, start: 0 }], cache)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error,
  )
  expect(() => decoder.step([{ sequence, tokens: [], start: 0 }], cache)).toThrow(
    expect.objectContaining({ code: 'ERR_BIO_SHAPE' }) as Error,
  )
})
