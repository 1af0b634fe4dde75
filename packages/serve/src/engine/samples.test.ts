import { StepScheduler } from '@bio/batching'
import { PagedKvCache, type KvDtype, type Sequence } from '@bio/kv-cache'
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

function setUp(blocks: number, dtype: KvDtype) {
  const { layers, kvHeads, headDim } = config
  const headBytes = { f32: 4 * headDim, bf16: 2 * headDim, int8: headDim + 4 }[dtype]
  const bytes = blocks * layers * 2 * kvHeads * headBytes * 8
  const cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 8, bytes, dtype })
  expect(cache.stats()).toMatchObject({ blocks, bytes })
  const engine = new DecoderEngine(decoder, cache)
  const scheduler = new StepScheduler<Sequence, Sampling>({
    engine,
    cache,
    maxTokensPerStep: 32,
    maxSequences: 8,
  })
  return { cache, scheduler }
}

test.each(
  (['f32', 'bf16', 'int8'] as const).flatMap((dtype) => [
    { dtype, blocks: 100, preempts: false },
    { dtype, blocks: 11, preempts: true },
  ]),
)(
  'samples of one prompt in $blocks blocks of $dtype are those of requests that run alone',
  async ({ dtype, blocks, preempts }) => {
    const { cache, scheduler } = setUp(blocks, dtype)
    const samples = scheduler.sample({ prompt, maxTokens: 20, samplings })
    const together = await Promise.all(samples.map(async ({ result }) => (await result).tokens))
    const { prefilledTokens, preemptions } = scheduler.stats()
    expect(preemptions > 0).toBe(preempts)
    if (!preempts) expect(prefilledTokens).toBe(prompt.length + samplings.length - 1)
    expect(cache.stats().usedBlocks).toBe(0)
    for (const [index, sampling] of samplings.entries()) {
      const alone = setUp(100, dtype).scheduler.submit({ prompt, maxTokens: 20, sampling })
      expect((await alone.result).tokens).toEqual(together[index])
    }
    expect(new Set(together.map((tokens) => tokens.join())).size).toBe(5)
  },
)
