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

/** What a token was drawn from. */
export interface Draw {
  readonly token: number
  /** [vocabSize]; valid during the call only. `probabilities` makes a distribution of them. */
  readonly logits: Float32Array
}

/** Runs ragged batches of a decoder over a paged cache, one token per item that asks for one. */
export class DecoderEngine {
  readonly #decoder: Decoder
  readonly #cache: PagedCache
  readonly #onDraw: ((item: EngineItem, draw: Draw) => void) | undefined

  /** `onDraw` hears of every token drawn, to count what it decided: `ActionInformation` of `@bio/energy` does. */
  constructor(
    decoder: Decoder,
    cache: PagedCache,
    { onDraw }: { readonly onDraw?: (item: EngineItem, draw: Draw) => void } = {},
  ) {
    this.#decoder = decoder
    this.#cache = cache
    this.#onDraw = onDraw
  }

  /** The sampled token of each item, −1 where none was wanted. */
  step(items: readonly EngineItem[]): Int32Array {
    const { vocabSize } = this.#decoder.config
    const logits = this.#decoder.step(items, this.#cache) // [items, vocabSize]
    return Int32Array.from(items, (item, index) => {
      if (!item.sample) return -1
      const row = logits.subarray(index * vocabSize, (index + 1) * vocabSize)
      const token = sample(row, item.sampling, item.generated)
      this.#onDraw?.(item, { token, logits: row })
      return token
    })
  }
}
