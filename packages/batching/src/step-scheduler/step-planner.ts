import { BioError } from '@bio/errors'
import type { Tenants } from '../tenants.js'
import type { CachedSequence, SequenceCache } from './contract.js'
import { GrowthRoom } from './growth-room.js'
import { compareTurns, type ScheduledRequest } from './scheduled-request.js'
import { SharedPrefixes } from './shared-prefix.js'
import { insertByTurn, WaitingQueue } from './waiting-queue.js'

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
 * waiting requests by their turns.
 *
 * A request is admitted when the cache has room for all its known tokens and, where others run, for it and them to grow; so only decodes
 * can run out of blocks. Then the request whose turn is last is preempted and computed again later (vLLM v1's recompute). The one whose
 * turn is first never is, so something always advances.
 */
export class StepPlanner<Sequence extends CachedSequence, Sampling> {
  readonly waiting: WaitingQueue<Sequence, Sampling>
  /** In the order of turns within a tenant. */
  readonly running: ScheduledRequest<Sequence, Sampling>[] = []
  preemptions = 0
  /** Prompt tokens found in the cache at first admissions. */
  cachedTokens = 0
  readonly #tenants: Tenants
  readonly #limits: StepLimits
  readonly #fail: (request: ScheduledRequest<Sequence, Sampling>, error: unknown) => void
  readonly #sharedPrefixes: SharedPrefixes<Sequence, Sampling>
  readonly #growthRoom: GrowthRoom
  /** Whose turn it was when there was no room. Asking again is in vain until somebody leaves. */
  #noRoom: ScheduledRequest<Sequence, Sampling> | undefined

  constructor(
    cache: SequenceCache<Sequence>,
    tenants: Tenants,
    limits: StepLimits,
    fail: (request: ScheduledRequest<Sequence, Sampling>, error: unknown) => void,
  ) {
    this.waiting = new WaitingQueue(tenants)
    this.#tenants = tenants
    this.#limits = limits
    this.#fail = fail
    this.#sharedPrefixes = new SharedPrefixes(cache, this.running)
    this.#growthRoom = new GrowthRoom(cache.blockTokens)
  }

  plan(): Chunk<Sequence, Sampling>[] {
    const preemptions = this.preemptions
    const decodes = this.running.filter(({ isDecoding }) => isDecoding)
    for (const request of decodes) this.#makeRoom(request)
    const chunks: Chunk<Sequence, Sampling>[] = []
    let budget = this.#limits.maxTokensPerStep
    const take = (request: ScheduledRequest<Sequence, Sampling>): void => {
      const count = Math.min(request.pending, budget)
      if (count === 0) return
      chunks.push({ request, count })
      budget -= count
      this.#tenants.served(request.tenant, count)
    }
    for (const request of decodes) if (request.sequence !== undefined) take(request)
    const perStep = budget
    const prefills = this.running.filter(({ isDecoding }) => !isDecoding)
    for (const request of prefills.toSorted(compareTurns)) take(request)
    if (this.preemptions > preemptions) {
      this.#growthRoom.widen()
      return chunks
    }
    const { maxSequences } = this.#limits
    const isFull = (): boolean => budget === 0 || this.running.length === maxSequences
    if (isFull()) return chunks
    let followers = 0
    for (const request of this.waiting) {
      if (isFull() || followers === maxSequences || request === this.#noRoom) break
      if (this.#sharedPrefixes.isWorthWaiting(request, { left: budget, perStep })) followers += 1
      else if (this.#admit(request)) take(request)
      else if (this.#noRoom !== undefined) break // nobody overtakes for being small
    }
    return chunks.filter(({ request }) => !request.ended) // by a cache that threw for its room to grow
  }

  /** Forgets a request that ended, whether it waited, ran or is unknown. */
  forget(request: ScheduledRequest<Sequence, Sampling>): void {
    if (request.sequence !== undefined) this.#growthRoom.narrow()
    this.#remove(request)
  }

  #remove(request: ScheduledRequest<Sequence, Sampling>): void {
    this.#noRoom = undefined
    if (this.waiting.remove(request)) return
    const index = this.running.indexOf(request)
    if (index !== -1) this.running.splice(index, 1)
  }

  /** Room for one more token of a decode, from the requests whose turn is last if need be, and be it itself. */
  #makeRoom(request: ScheduledRequest<Sequence, Sampling>): void {
    try {
      while (request.sequence !== undefined && !request.sequence.reserve(1)) {
        if (this.running.length === 1) throw tooLong(request)
        this.#preempt(this.running.reduce((last, other) => (compareTurns(other, last) > 0 ? other : last)))
      }
    } catch (error) {
      this.#fail(request, error)
    }
  }

  readonly #canGrow = (request: ScheduledRequest<Sequence, Sampling>): boolean => {
    try {
      return request.sequence!.reserve(request.pending + this.#growthRoom.tokensFor(request))
    } catch (error) {
      this.#fail(request, error)
      return true
    }
  }

  #preempt(request: ScheduledRequest<Sequence, Sampling>): void {
    this.#remove(request)
    this.waiting.add(request)
    this.preemptions += 1
    request.preempt()
  }

  #admit(request: ScheduledRequest<Sequence, Sampling>): boolean {
    let sequence: Sequence | undefined
    try {
      if (!this.running.slice().every(this.#canGrow)) {
        this.#noRoom = request
        return false
      }
      sequence = this.#sharedPrefixes.open(request)
      checkCached(sequence.cachedTokens, request.known)
      const growth = this.running.length === 0 ? 0 : this.#growthRoom.tokensFor(request)
      if (!sequence.reserve(request.known - sequence.cachedTokens + growth)) {
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
    this.#remove(request)
    insertByTurn(this.running, request)
    if (request.admittedAt === undefined) this.cachedTokens += sequence.cachedTokens
    request.admit(sequence)
    return true
  }
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
