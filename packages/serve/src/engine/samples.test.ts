import { StepScheduler } from '@bio/batching'
import { PagedKvCache, type Sequence } from '@bio/kv-cache'
import { Decoder, decoderConfig, DecoderEngine, type Sampling } from '@bio/models'
import { Rng } from '@bio/tensor'
import { expect, test } from 'vitest'

const config = decoderConfig({
  vocabSize: 97,
  dim: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  hidden: 32,
  experts: 4,
  topK: 2,
  maxPositions: 256,
})
const decoder = new Decoder(config, { rng: new Rng(1) })
const prompt = Int32Array.from({ length: 21 }, (_, at) => (at * 7) % 97)
const samplings = [1, 2, 3, 4, 5].map((seed): Sampling => ({ temperature: 1, seed }))

function setUp(blocks: number) {
  const { layers, kvHeads, headDim } = config
  const bytes = blocks * layers * 2 * kvHeads * headDim * 8 * 4
  const cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 8, bytes })
  const engine = new DecoderEngine(decoder, cache)
  const scheduler = new StepScheduler<Sequence, Sampling>({
    engine,
    cache,
    maxTokensPerStep: 32,
    maxSequences: 8,
  })
  return { cache, scheduler }
}

test.each([
  { blocks: 100, preempts: false },
  { blocks: 11, preempts: true },
])(
  'samples of one prompt in $blocks blocks are those of requests that run alone',
  async ({ blocks, preempts }) => {
    const { cache, scheduler } = setUp(blocks)
    const samples = scheduler.sample({ prompt, maxTokens: 20, samplings })
    const together = await Promise.all(samples.map(async ({ result }) => (await result).tokens))
    const { prefilledTokens, preemptions } = scheduler.stats()
    expect(preemptions > 0).toBe(preempts)
    if (!preempts) expect(prefilledTokens).toBe(prompt.length + samplings.length - 1)
    expect(cache.stats().usedBlocks).toBe(0)
    for (const [index, sampling] of samplings.entries()) {
      const alone = setUp(100).scheduler.submit({ prompt, maxTokens: 20, sampling })
      expect((await alone.result).tokens).toEqual(together[index])
    }
    expect(new Set(together.map((tokens) => tokens.join())).size).toBe(5)
  },
)
