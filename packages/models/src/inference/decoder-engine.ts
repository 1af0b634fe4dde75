import type { Decoder } from '../decoder/decoder.js'
import type { PagedCache, PagedSequence } from '../decoder/paged-batch.js'
import { sample, type Sampling } from './sampling.js'

/** New tokens of one sequence, and whether its next token is wanted. `StepScheduler` of `@bio/batching` makes these. */
export interface EngineItem {
  readonly sequence: PagedSequence
  readonly tokens: Int32Array
  readonly start: number
  readonly sample: boolean
  readonly sampling: Sampling
  /** Tokens generated so far. */
  readonly generated: number
}

/** Runs ragged batches of a decoder over a paged cache, one token per item that asks for one. */
export class DecoderEngine {
  readonly #decoder: Decoder
  readonly #cache: PagedCache

  constructor(decoder: Decoder, cache: PagedCache) {
    this.#decoder = decoder
    this.#cache = cache
  }

  /** The sampled token of each item, −1 where none was wanted. */
  step(items: readonly EngineItem[]): Int32Array {
    const { vocabSize } = this.#decoder.config
    const logits = this.#decoder.step(items, this.#cache) // [items, vocabSize]
    return Int32Array.from(items, (item, index) =>
      item.sample
        ? sample(logits.subarray(index * vocabSize, (index + 1) * vocabSize), item.sampling, item.generated)
        : -1,
    )
  }
}
