/**
 * What `StepScheduler` asks of a key-value cache; `PagedKvCache` of `@bio/kv-cache` is one. The scheduler must be the only one that
 * holds sequences of the cache: when nothing of its own runs, it takes a failed `reserve` for final.
 */
export interface SequenceCache<Sequence extends CachedSequence> {
  /** Tokens per block: prefixes are shared in whole blocks. */
  readonly blockTokens: number
  /**
   * A sequence that begins with the longest cached prefix of `tokens` under the same scope, also one of a sequence still open; at most
   * `tokens.length − 1` of them, since the last must be computed to sample after it.
   */
  open(tokens: Int32Array, options: { readonly scope?: string }): Sequence
  /**
   * A sequence that begins with the first `length` committed tokens of an open one, those of a partly filled block included; or with
   * fewer, as its `cachedTokens` says. Without it requests share whole blocks only.
   */
  fork?(sequence: Sequence, length: number): Sequence
}

/** One request's keys and values. */
export interface CachedSequence {
  /** Tokens that were computed when the sequence began. */
  readonly cachedTokens: number
  /** Room for so many tokens beyond those committed, kept until they are; false if there are no blocks, and then nothing changed. */
  reserve(tokens: number): boolean
  /** The keys and values of these tokens are now written: their full blocks can be shared at once. */
  commit(tokens: Int32Array): void
  /** Gives the blocks back; full ones stay cached until evicted. Never throws. */
  close(): void
}

/** What `StepScheduler` drives: a model that advances a ragged batch by one step. */
export interface StepEngine<Sequence, Sampling> {
  /**
   * Writes the keys and values of every item's tokens and returns one entry per item, in order: the token sampled after the item's last
   * one where `sample` is true, anything (by custom −1) where it is false. A throw fails the requests of this step only. `signal` aborts
   * once none of its requests is wanted any more.
   */
  step(
    items: readonly StepItem<Sequence, Sampling>[],
    options: { readonly signal: AbortSignal },
  ): Promise<ArrayLike<number>> | ArrayLike<number>
}

/** One request's part in a step: a chunk of its prompt, or the one token it generated last. */
export interface StepItem<Sequence, Sampling> {
  /** The request's number, the same in all its steps. */
  readonly id: number
  readonly sequence: Sequence
  /** The new tokens of this step, at least one; room for them is reserved. */
  readonly tokens: Int32Array
  /** Position of the first of them, equal to the number committed before. */
  readonly start: number
  /** Whether a token is to be sampled after the last of them. */
  readonly sample: boolean
  readonly sampling: Sampling
  /** Tokens generated so far: use it as the sampler's counter, so that a replay after a preemption draws the same. */
  readonly generated: number
}
