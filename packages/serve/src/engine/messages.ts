import type { GenerationResult as BatchedResult, SchedulerStats } from '@bio/batching'
import type { Reading } from '@bio/energy'
import type { KvDtype, PagedKvCacheStats } from '@bio/kv-cache'
import type { Sampling } from '@bio/models'

/** How the engine loads and runs a model. */
export interface EngineOptions {
  /** A Hugging Face folder in a format that `@bio/models` reads, or a GGUF file. */
  readonly folder: string
  /** Storage of the weights. Default 'int8'; q4_0 of a GGUF file stays the int4 that it is. */
  readonly weights?: 'f32' | 'bf16' | 'int8' | 'int4'
  /** Memory for keys and values. Default 256 MiB. */
  readonly cacheBytes?: number
  /** Storage of keys and values: bf16 halves them, int8 with its scales takes a little over a quarter. Default 'f32'. */
  readonly kvDtype?: KvDtype
  /** Tokens per cache block. Default 16. */
  readonly blockTokens?: number
  /** Sequences that decode together. Default 32. */
  readonly maxSequences?: number
  /** Tokens of one step, decodes and prefill chunks together. Default 256. */
  readonly maxTokensPerStep?: number
  /** Requests that may wait; more are refused with ERR_BIO_QUEUE_FULL. Default 256. */
  readonly maxQueue?: number
  /** false computes every prompt from its first token. Default true. */
  readonly sharePrefixes?: boolean
  /** Threads of the kernels in the worker. Default: all cores. */
  readonly threads?: number
}

export interface GenerationRequest {
  readonly prompt: Int32Array
  readonly maxTokens: number
  readonly sampling: Sampling
  /** Ids that end the generation; the one that did is its last token. */
  readonly stopTokens: readonly number[]
  /** Prefixes are shared within a scope only: one per tenant. */
  readonly scope: string
  /** Who shares the steps fairly with all others, and the queue. Default: the scope. */
  readonly tenant?: string
  /** Higher goes first among the requests of its tenant. Default 0. */
  readonly priority?: number
  /** Milliseconds from submit to the last token; then the request fails with ERR_BIO_DEADLINE, behind its tokens so far. */
  readonly deadlineMs?: number
}

export interface GenerationResult extends Omit<BatchedResult, 'tokens'> {
  /** Its part of the energy of the steps that it was in, by tokens; gross. */
  readonly energy: Reading
}

export interface EngineStats {
  readonly scheduler: SchedulerStats
  readonly cache: PagedKvCacheStats
}

/** An error as it crosses the thread. */
export interface PlainError {
  readonly code: string
  readonly operation: string
  readonly expected: string
  readonly received: string
  readonly hint?: string
  readonly retryAfterMs?: number
}

export type ToWorker =
  | { readonly type: 'submit'; readonly id: number; readonly request: GenerationRequest }
  | { readonly type: 'abort'; readonly id: number }
  | { readonly type: 'stats'; readonly id: number }
  | { readonly type: 'drain'; readonly timeoutMs: number }

/** They come in lists: all that one step said. */
export type FromWorker =
  | { readonly type: 'ready'; readonly model: ModelInfo }
  | { readonly type: 'failed'; readonly error: PlainError }
  | { readonly type: 'accepted'; readonly id: number }
  | { readonly type: 'token'; readonly id: number; readonly token: number }
  | { readonly type: 'done'; readonly id: number; readonly result: GenerationResult }
  | { readonly type: 'refused'; readonly id: number; readonly error: PlainError }
  | { readonly type: 'stats'; readonly id: number; readonly stats: EngineStats }
  | { readonly type: 'drained' }

export interface ModelInfo {
  readonly vocabSize: number
  readonly maxPositions: number
  readonly parameters: number
  /** Size of the weights as they are held. */
  readonly weightBytes: number
}
