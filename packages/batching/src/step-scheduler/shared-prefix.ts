import type { CachedSequence } from './contract.js'
import type { ScheduledRequest } from './scheduled-request.js'

/** A waiting request's reason to wait: `leader` will have computed the tokens before `until` that both begin with. */
interface Following {
  readonly leader: ScheduledRequest<CachedSequence, unknown>
  readonly sequence: CachedSequence | undefined
  readonly until: number
}

/**
 * Holds back a waiting request while a running one computes full blocks that both begin with, so that N clients with one long system
 * prompt prefill it once, not N times. The wait ends when the blocks are committed, or their leader leaves.
 *
 * After SGLang's in-batch prefix caching (schedule_policy.py), with two departures: it also follows requests that already run, and by
 * comparing tokens, so that not one block is computed twice.
 */
export class SharedPrefixes {
  readonly #blockTokens: number
  /** Found once per pair: comparing tokens in every step would cost more than it saves. */
  readonly #following: WeakMap<object, Following> = new WeakMap()

  constructor(blockTokens: number) {
    this.#blockTokens = blockTokens
  }

  /** Whether `request` should wait for blocks that one of `running` is about to commit. */
  isWorthWaiting(
    request: ScheduledRequest<CachedSequence, unknown>,
    running: readonly ScheduledRequest<CachedSequence, unknown>[],
  ): boolean {
    const following = this.#following.get(request)
    if (following !== undefined && isComing(following)) return true
    for (const leader of running) {
      if (this.#wholeBlocks(leader.known) <= leader.computed) continue // it fills no block now
      if (leader.options.scope !== request.options.scope) continue
      const shared = commonPrefix(leader.tokens, request.tokens)
      // the request's last token is never taken from the cache
      const until = this.#wholeBlocks(Math.min(shared, request.known - 1))
      const found: Following = { leader, sequence: leader.sequence, until }
      if (!isComing(found)) continue
      this.#following.set(request, found)
      return true
    }
    return false
  }

  #wholeBlocks(tokens: number): number {
    return tokens - (tokens % this.#blockTokens)
  }
}

function isComing({ leader, sequence, until }: Following): boolean {
  return sequence !== undefined && leader.sequence === sequence && leader.computed < until
}

function commonPrefix(a: Int32Array, b: Int32Array): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length += 1
  return length
}
