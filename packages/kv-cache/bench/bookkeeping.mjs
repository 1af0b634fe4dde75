// What the bookkeeping costs, in nanoseconds per call, without any model: `node packages/kv-cache/bench/bookkeeping.mjs` after a build.
// A cache of 1,000 blocks of 16 tokens; the smallest of 15 rounds, so that a busy neighbour counts least.
import { performance } from 'node:perf_hooks'
import { PagedKvCache } from '@bio/kv-cache'

const blockTokens = 16
const [layers, kvHeads, headDim] = [1, 1, 1]
const bytes = 1000 * layers * 2 * kvHeads * headDim * blockTokens * 4

/** Smallest mean nanoseconds per call over the rounds; `prepare` is not timed. */
function measure(calls, prepare, round) {
  let best = Infinity
  for (let i = 0; i < 15; i += 1) {
    const state = prepare()
    const start = performance.now()
    round(state)
    best = Math.min(best, performance.now() - start)
  }
  return Math.round((best * 1e6) / calls)
}

function prompt(length, first) {
  return Int32Array.from({ length }, (_, i) => (i === 0 ? first : i))
}

function fill(cache, tokens) {
  const sequence = cache.open(tokens)
  const fresh = tokens.subarray(sequence.cachedTokens)
  sequence.reserve(fresh.length)
  sequence.commit(fresh)
  return sequence
}

const newCache = () => new PagedKvCache({ layers, kvHeads, headDim, blockTokens, bytes })

const shared = prompt(1024, 1) // 64 blocks
const opens = 2000
const openHit = measure(
  opens,
  () => {
    const cache = newCache()
    fill(cache, shared).close()
    return cache
  },
  (cache) => {
    for (let i = 0; i < opens; i += 1) cache.open(shared).close()
  },
)

const openMiss = measure(
  opens,
  () => {
    const cache = newCache()
    for (let i = 0; i < 15; i += 1) fill(cache, prompt(1024, i)).close()
    return { cache, tokens: prompt(1024, 99) }
  },
  ({ cache, tokens }) => {
    for (let i = 0; i < opens; i += 1) cache.open(tokens).close()
  },
)

const steps = 32 * 256 // 32 sequences, 256 tokens each
const decode = measure(
  steps,
  () => {
    const cache = newCache()
    return Array.from({ length: 32 }, (_, i) => cache.open(Int32Array.of(i)))
  },
  (sequences) => {
    const token = new Int32Array(1)
    for (let step = 0; step < 256; step += 1) {
      for (let i = 0; i < 32; i += 1) {
        token[0] = i * 1000 + step
        sequences[i].reserve(1)
        sequences[i].commit(token)
      }
    }
  },
)

const prefills = 100 // 64 blocks each: every round but the first ones evicts
const prefill = measure(
  prefills,
  () => ({ cache: newCache(), prompts: Array.from({ length: prefills }, (_, i) => prompt(1024, i)) }),
  ({ cache, prompts }) => {
    for (const tokens of prompts) fill(cache, tokens).close()
  },
)

console.table({
  'open and close, all of 1,024 tokens cached (63 blocks)': { nanoseconds: openHit },
  'open and close, nothing cached': { nanoseconds: openMiss },
  'reserve(1) and commit of one token': { nanoseconds: decode },
  'open, reserve, commit 1,024 new tokens, evict 64 blocks, close': { nanoseconds: prefill },
})
