import { expectTypeOf } from 'vitest'
import { Batcher, StepScheduler, type Generation, type SequenceCache } from './index.js'

// a batch function gives the batcher its types, and an Error among its outputs is no output
const batcher = new Batcher({
  run: async (texts: readonly string[]): Promise<(number | Error)[]> => texts.map((text) => text.length),
  maxBatchSize: 2,
})
expectTypeOf(batcher.submit).parameter(0).toEqualTypeOf<string>()
expectTypeOf(batcher.submit).returns.toEqualTypeOf<Promise<number>>()

// the engine sees the cache's own sequences and the caller's own sampling
interface PagedSequence {
  readonly cachedTokens: number
  readonly blockTable: Int32Array
  reserve(tokens: number): boolean
  commit(tokens: Int32Array): void
  close(): void
}
declare const cache: SequenceCache<PagedSequence>
const scheduler = new StepScheduler({
  cache,
  engine: {
    step: (
      items: readonly { readonly sequence: PagedSequence; readonly sampling: { temperature: number } }[],
    ) => items.map(({ sequence, sampling }) => sequence.blockTable[0]! * sampling.temperature),
  },
  maxTokensPerStep: 8,
  maxSequences: 2,
})
expectTypeOf(
  scheduler.submit({ prompt: Int32Array.of(1), maxTokens: 1, sampling: { temperature: 0 } }),
).toEqualTypeOf<Generation>()
// @ts-expect-error the sampling that the engine asks for is missing
scheduler.submit({ prompt: Int32Array.of(1), maxTokens: 1, sampling: {} })
