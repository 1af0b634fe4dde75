import { getKernels } from '@bio/kernels'
import { expect, test } from 'vitest'
import { PagedKvCache } from './paged-kv-cache.js'
import type { Sequence } from './sequence.js'

const [heads, kvHeads, headDim, blockTokens] = [4, 2, 8, 4]

/** Rows [tokens, width] that depend on token and column only, as a model's first layer would make them. */
function rows(tokens: Int32Array, width: number, seed: number): Float32Array {
  return Float32Array.from({ length: tokens.length * width }, (_, i) =>
    Math.sin(seed + tokens[Math.floor(i / width)]! * 1.7 + (i % width) * 0.3),
  )
}

/** Writes and commits what is not cached, and returns the last token's attention [heads, headDim]. */
function prefill(cache: PagedKvCache, sequence: Sequence, tokens: Int32Array): Float32Array {
  const fresh = tokens.subarray(sequence.cachedTokens)
  const slots = new Int32Array(fresh.length)
  expect(sequence.reserve(fresh.length)).toBe(true)
  cache.slots(sequence, sequence.length, fresh.length, slots, 0)
  cache.write(0, rows(fresh, kvHeads * headDim, 1), rows(fresh, kvHeads * headDim, 2), slots)
  sequence.commit(fresh)
  const out = new Float32Array(heads * headDim)
  const query = rows(tokens.subarray(-1), heads * headDim, 3)
  getKernels().pagedAttention(out, query, cache.keys(0), cache.values(0), {
    heads,
    kvHeads,
    headDim,
    blockTokens,
    sequences: Int32Array.of(0),
    positions: Int32Array.of(tokens.length - 1),
    blockTables: sequence.blockTable,
    maxBlocks: sequence.blockTable.length,
  })
  return out
}

const tokens = Int32Array.from({ length: 15 }, (_, i) => (i * 7) % 11)
const options = {
  layers: 1,
  kvHeads,
  headDim,
  blockTokens,
  bytes: 12 * 2 * kvHeads * headDim * blockTokens * 4,
}

test.each(['f32', 'bf16', 'int8'] as const)(
  '%s: attention over a cached prefix or a fork, in whatever blocks it lies, has the bits of attention without a cache',
  (dtype) => {
    using alone = new PagedKvCache({ ...options, dtype })
    const expected = prefill(alone, alone.open(tokens), tokens)
    expect(expected.some((value) => value !== 0)).toBe(true)

    using cache = new PagedKvCache({ ...options, dtype })
    cache.open(tokens).reserve(6) // takes the first blocks, so that the others lie elsewhere
    const first = cache.open(tokens)
    prefill(cache, first, tokens)
    using sequence = cache.open(tokens)
    expect(sequence.cachedTokens).toBe(12)
    expect(prefill(cache, sequence, tokens)).toEqual(expected)
    using fork = cache.fork(first, 14) // its last block, half full, is copied
    expect(fork.cachedTokens).toBe(14)
    expect(prefill(cache, fork, tokens)).toEqual(expected)
    expect(fork.blockTable.at(-1)).not.toBe(first.blockTable.at(-1))
  },
)

test.each([
  ['f32', Float32Array, 0],
  ['bf16', Uint16Array, 2 ** -8],
  ['int8', Int8Array, 2 ** -6],
] as const)(
  '%s: pages are %o, hold the bytes that are counted, and attention stays near f32',
  (dtype, Pages, error) => {
    using exact = new PagedKvCache(options)
    const expected = prefill(exact, exact.open(tokens), tokens)
    using cache = new PagedKvCache({ ...options, dtype })
    const found = prefill(cache, cache.open(tokens), tokens)
    for (const pages of [cache.keys(0), cache.values(0)]) {
      expect(pages).toBeInstanceOf(Pages)
      expect(2 * pages.byteLength).toBe(cache.stats().bytes)
    }
    const errors = found.map((value, i) => Math.abs(value - expected[i]!))
    expect(Math.max(...errors)).toBeLessThanOrEqual(error)
    expect(errors.some((value) => value > 0)).toBe(error > 0)
  },
)
