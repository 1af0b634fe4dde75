import { BioError } from '@bio/errors'
import type { CachedSequence, SequenceCache } from './contract.js'
import type { ScheduledRequest } from './scheduled-request.js'
import { SharedPrefixes } from './shared-prefix.js'

/** A part of a step: the next `count` pending tokens of a request. */
export interface Chunk<Sequence extends CachedSequence, Sampling> {
  readonly request: ScheduledRequest<Sequence, Sampling>
  readonly count: number
}

/** Limits of one step. */
export interface StepLimits {
  readonly maxTokensPerStep: number
  readonly maxSequences: number
}

/**
 * Decides what runs in the next step: decodes first, then prefill of the running requests in chunks, then, if nothing had to give way,
 * waiting requests by arrival.
 *
 * A request is admitted when the cache has room for all its known tokens, and a block to grow where others run, so only decodes can run
 * out of blocks; then the latest arrival is preempted and computed again later (vLLM v1's recompute). The oldest request is never
 * preempted, so something always advances.
 */
export class StepPlanner<Sequence extends CachedSequence, Sampling> {
  /** Both lists are kept by arrival. */
  readonly waiting: ScheduledRequest<Sequence, Sampling>[] = []
  readonly running: ScheduledRequest<Sequence, Sampling>[] = []
  preemptions = 0
  /** Prompt tokens found in the cache at first admissions. */
  cachedTokens = 0
  readonly #cache: SequenceCache<Sequence>
  readonly #limits: StepLimits
  readonly #fail: (request: ScheduledRequest<Sequence, Sampling>, error: unknown) => void
  readonly #sharedPrefixes: SharedPrefixes
  /** The oldest waiting request when it found no room. Asking again is in vain until somebody leaves. */
  #noRoom: ScheduledRequest<Sequence, Sampling> | undefined

  constructor(
    cache: SequenceCache<Sequence>,
    limits: StepLimits,
    fail: (request: ScheduledRequest<Sequence, Sampling>, error: unknown) => void,
  ) {
    this.#cache = cache
    this.#limits = limits
    this.#fail = fail
    this.#sharedPrefixes = new SharedPrefixes(cache.blockTokens)
  }

  plan(): Chunk<Sequence, Sampling>[] {
    const preemptions = this.preemptions
    const chunks: Chunk<Sequence, Sampling>[] = []
    let budget = this.#limits.maxTokensPerStep
    const take = (request: ScheduledRequest<Sequence, Sampling>): void => {
      const count = Math.min(request.pending, budget)
      if (count === 0) return
      chunks.push({ request, count })
      budget -= count
    }
    for (const request of this.running.filter(({ isDecoding }) => isDecoding))
      if (this.#canGrow(request)) take(request)
    for (const request of this.running) if (!request.isDecoding) take(request)
    if (this.preemptions > preemptions) return chunks
    for (const request of this.waiting.slice()) {
      if (budget === 0 || this.running.length === this.#limits.maxSequences) break
      if (request === this.#noRoom) break
      if (this.#sharedPrefixes.isWorthWaiting(request, this.running)) continue
      if (this.#admit(request)) take(request)
      else if (this.#noRoom !== undefined) break // by arrival: nobody overtakes for being small
    }
    return chunks
  }

  /** Forgets a request, whether it waits, runs or is unknown. */
  remove(request: ScheduledRequest<Sequence, Sampling>): void {
    for (const list of [this.waiting, this.running]) {
      const index = list.indexOf(request)
      if (index !== -1) list.splice(index, 1)
    }
    this.#noRoom = undefined
  }

  /** Room for one more token of a decode, from the latest requests if need be; false if it had to leave itself. */
  #canGrow(request: ScheduledRequest<Sequence, Sampling>): boolean {
    try {
      while (request.sequence !== undefined && !request.sequence.reserve(1)) {
        if (this.running.length === 1) throw tooLong(request)
        this.#preempt(this.running.at(-1)!)
      }
    } catch (error) {
      this.#fail(request, error)
    }
    return request.sequence !== undefined
  }

  #preempt(request: ScheduledRequest<Sequence, Sampling>): void {
    this.remove(request)
    insertByArrival(this.waiting, request)
    this.preemptions += 1
    request.preempt()
  }

  #admit(request: ScheduledRequest<Sequence, Sampling>): boolean {
    const { scope, maxTokens } = request.options
    let sequence: Sequence | undefined
    try {
      sequence = this.#cache.open(request.tokens.slice(), scope === undefined ? {} : { scope })
      checkCached(sequence.cachedTokens, request.known)
      // The last token to come is never written. Without the block to grow it might be back in the queue one step later.
      const growth = Math.min(this.#cache.blockTokens, maxTokens - request.generated - 1)
      const room = request.known - sequence.cachedTokens + (this.running.length === 0 ? 0 : growth)
      if (!sequence.reserve(room)) {
        if (this.running.length === 0) throw tooLong(request)
        sequence.close()
        this.#noRoom = request
        return false
      }
    } catch (error) {
      request.sequence = sequence // so that failing closes it
      this.#fail(request, error)
      return false
    }
    this.remove(request)
    insertByArrival(this.running, request)
    if (request.admittedAt === undefined) this.cachedTokens += sequence.cachedTokens
    request.admit(sequence)
    return true
  }
}

function insertByArrival<Entry extends { readonly id: number }>(list: Entry[], entry: Entry): void {
  const later = list.findIndex(({ id }) => id > entry.id)
  list.splice(later === -1 ? list.length : later, 0, entry)
}

function checkCached(cachedTokens: number, known: number): void {
  if (Number.isInteger(cachedTokens) && cachedTokens >= 0 && cachedTokens < known) return
  throw new BioError('ERR_BIO_VALUE', {
    operation: 'SequenceCache.open',
    expected: `0 to ${known - 1} cached tokens`,
    received: String(cachedTokens),
  })
}

function tooLong(request: ScheduledRequest<CachedSequence, unknown>): BioError {
  return new BioError('ERR_BIO_CACHE_FULL', {
    operation: 'StepScheduler',
    expected: 'a cache with room for the request alone',
    received: `no room for ${request.known} tokens (${request.promptTokens} of them prompt)`,
    hint: 'Give the cache more bytes, or shorten the prompt or maxTokens',
  })
}
