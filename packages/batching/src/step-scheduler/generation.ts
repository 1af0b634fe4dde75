import { checkCount, checkDelay, invalid } from '../check.js'

/** What is to be generated, and on what terms. */
export interface RequestTerms {
  /** At least one token; copied. */
  readonly prompt: Int32Array
  /** Most tokens to generate, at least 1. */
  readonly maxTokens: number
  /** Tokens that end the generation; the one that did is its last token. */
  readonly stopTokens?: readonly number[]
  /** Asked after every token, with all generated so far; true ends the generation. */
  readonly stop?: (tokens: readonly number[]) => boolean
  /** Ends the generation with the finish reason `abort`; its blocks are free within one step. */
  readonly signal?: AbortSignal
  /** Only requests of the same scope share cached prefixes, e.g. one scope per tenant. */
  readonly scope?: string
  /**
   * Who asks: tenants share the steps fairly, by weighted tokens, and one tenant cannot fill the queue: it may hold as many waiting
   * places as are still free. Requests without a tenant are one tenant, which may.
   */
  readonly tenant?: string
  /** Higher goes first among the requests of its tenant; each level is worth `ageingMs` of waiting. Any finite number; default 0. */
  readonly priority?: number
  /**
   * Milliseconds from submit to the last token. After them `result` rejects with `ERR_BIO_DEADLINE`, behind the tokens so far in the
   * iterator; a request that still waits then never runs, the blocks of a running one are free within one step.
   */
  readonly deadlineMs?: number
}

/** A request for tokens. */
export interface GenerationRequest<Sampling> extends RequestTerms {
  /** Handed to the engine untouched in every step of this request: parameters, and the seed. */
  readonly sampling: Sampling
}

/** A request for several samples after one prompt. */
export interface SampleRequest<Sampling> extends RequestTerms {
  /** One for each sample, at least one; give each its own seed. */
  readonly samplings: readonly Sampling[]
}

/** Tokens as they come: iterate, or await `result`, or both. */
export interface Generation extends AsyncIterable<number> {
  /** The `id` of its `StepItem`s. */
  readonly id: number
  /**
   * Settles when the generation ended: also after an abort, with the tokens so far. Rejects with what the engine, the cache or `stop`
   * threw, ERR_BIO_CACHE_FULL (the request alone needs more blocks than the cache has), ERR_BIO_OUTPUT_COUNT or ERR_BIO_VALUE (the engine
   * returned too few entries or no token, or `stop` no boolean), ERR_BIO_DEADLINE, ERR_BIO_CLOSED (a drain gave up). A rejection that
   * nobody looks at is no unhandled one.
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
  /** How often the request gave its blocks to one whose turn was before its own. */
  readonly preemptions: number
  /** Milliseconds from submit to the first admission; null if there was none. */
  readonly queueMs: number | null
  /** Milliseconds from submit to the first token; null if there was none. */
  readonly ttftMs: number | null
  /** Milliseconds from submit to the end. */
  readonly durationMs: number
}

/** Refuses a request that could never run (`ERR_BIO_CONFIG`). */
export function checkRequest(operation: string, request: RequestTerms): void {
  const { prompt, maxTokens, stop, stopTokens, signal, tenant, priority = 0, deadlineMs = 0 } = request
  const refuse = (expected: string, value: unknown): never => {
    throw invalid(operation, expected, value)
  }
  if (!(prompt instanceof Int32Array) || prompt.length === 0)
    refuse('prompt to be an Int32Array of at least one token', prompt)
  checkCount(operation, 'maxTokens', maxTokens)
  checkDelay(operation, 'deadlineMs', deadlineMs)
  if (!Number.isFinite(priority)) refuse('priority to be a finite number', priority)
  if (stop !== undefined && typeof stop !== 'function') refuse('stop to be a function', stop)
  if (stopTokens !== undefined && !Array.isArray(stopTokens)) refuse('stopTokens to be an array', stopTokens)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function')
    refuse('signal to be an AbortSignal', signal)
  if (tenant !== undefined && typeof tenant !== 'string') refuse('tenant to be a string', tenant)
}
