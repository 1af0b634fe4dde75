import { checkCount, invalid } from '../check.js'

/** A request for tokens. */
export interface GenerationRequest<Sampling> {
  /** At least one token; copied. */
  readonly prompt: Int32Array
  /** Most tokens to generate, at least 1. */
  readonly maxTokens: number
  /** Handed to the engine untouched in every step of this request. */
  readonly sampling: Sampling
  /** Tokens that end the generation; the one that did is its last token. */
  readonly stopTokens?: readonly number[]
  /** Asked after every token, with all generated so far; true ends the generation. */
  readonly stop?: (tokens: readonly number[]) => boolean
  /** Ends the generation with the finish reason `abort`; its blocks are free within one step. */
  readonly signal?: AbortSignal
  /** Only requests of the same scope share cached prefixes, e.g. one scope per tenant. */
  readonly scope?: string
}

/** Tokens as they come: iterate, or await `result`, or both. */
export interface Generation extends AsyncIterable<number> {
  /** The `id` of its `StepItem`s. */
  readonly id: number
  /**
   * Settles when the generation ended: also after an abort, with the tokens so far. Rejects with what the engine, the cache or `stop`
   * threw, ERR_BIO_CACHE_FULL (the request alone needs more blocks than the cache has), ERR_BIO_OUTPUT_COUNT or ERR_BIO_VALUE (the engine
   * returned too few entries or no token), ERR_BIO_CLOSED (a drain gave up). A rejection that nobody looks at is no unhandled one.
   */
  readonly result: Promise<GenerationResult>
  /**
   * Every iterator begins at the first token, and throws what `result` rejects with after the last. Leaving it early (`break`) aborts the
   * generation.
   */
  [Symbol.asyncIterator](): AsyncIterator<number, undefined>
}

/** How a generation went. */
export interface GenerationResult {
  /** The tokens generated, without the prompt. */
  readonly tokens: readonly number[]
  readonly finishReason: 'stop' | 'length' | 'abort'
  readonly promptTokens: number
  /** Prompt tokens found in the cache at the first admission. */
  readonly cachedTokens: number
  /** Tokens computed in prefill; what was recomputed after a preemption counts again. Without one: promptTokens − cachedTokens. */
  readonly prefilledTokens: number
  /** How often the request gave its blocks to an older one. */
  readonly preemptions: number
  /** Milliseconds from submit to the first admission; null if there was none. */
  readonly queueMs: number | null
  /** Milliseconds from submit to the first token; null if there was none. */
  readonly ttftMs: number | null
  /** Milliseconds from submit to the end. */
  readonly durationMs: number
}

/** Refuses a request that could never run (`ERR_BIO_CONFIG`). */
export function checkRequest(options: GenerationRequest<unknown>): void {
  const operation = 'StepScheduler.submit'
  const { prompt, maxTokens, stop, stopTokens } = options
  if (!(prompt instanceof Int32Array) || prompt.length === 0)
    throw invalid(operation, 'prompt to be an Int32Array of at least one token', prompt)
  checkCount(operation, 'maxTokens', maxTokens)
  if (stop !== undefined && typeof stop !== 'function')
    throw invalid(operation, 'stop to be a function', stop)
  if (stopTokens !== undefined && !Array.isArray(stopTokens))
    throw invalid(operation, 'stopTokens to be an array', stopTokens)
}
