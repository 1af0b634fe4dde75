import type { CachedSequence, SequenceCache } from './contract.js'
import type { ScheduledRequest } from './scheduled-request.js'

/**
 * Holds back a waiting request while a running one computes tokens that both begin with, so that N clients with one long system prompt
 * prefill it once, not N times.
 *
 * Nobody is admitted before the running requests have all their prefill in a step, so what they share with a waiting one is computed
 * after this step, and the wait is one step. It is taken when that is faster, by counts: where it ends the prefill a step later, it must
 * save the tokens of a block. The samples of one prompt always wait for the first.
 *
 * After SGLang's in-batch prefix caching (schedule_policy.py), with two departures: it also follows requests that already run, and by
 * comparing tokens, so that not one block is computed twice.
 */
export class SharedPrefixes<Sequence extends CachedSequence, Sampling> {
  readonly #cache: SequenceCache<Sequence>
  readonly #running: readonly ScheduledRequest<Sequence, Sampling>[]

  constructor(cache: SequenceCache<Sequence>, running: readonly ScheduledRequest<Sequence, Sampling>[]) {
    this.#cache = cache
    this.#running = running
  }

  /** Whether `request` should wait for the next step, where this one has `left` tokens for it and the next has `perStep`. */
  isWorthWaiting(
    request: ScheduledRequest<Sequence, Sampling>,
    { left, perStep }: { readonly left: number; readonly perStep: number },
  ): boolean {
    const { firstSample, known } = request
    if (firstSample?.sequence !== undefined) return this.#soon(request, [firstSample]) > 0
    const soon = this.#soon(request, this.#running)
    if (soon === 0) return false
    const ready = this.#ready(request)
    const now = Math.ceil(Math.max(0, known - ready - left) / perStep)
    const later = Math.ceil((known - soon) / perStep)
    return soon > ready && soon - ready >= (later - now) * this.#cache.blockTokens
  }

  /** The longest beginning of `request` that the cache has: of a running request all but the last token, or whole blocks. */
  open(request: ScheduledRequest<Sequence, Sampling>): Sequence {
    const all = request.known - 1
    const source =
      this.#cache.fork && all % this.#cache.blockTokens !== 0 ? this.#withAllOf(request) : undefined
    if (source !== undefined) return this.#cache.fork!(source, all)
    const { scope } = request.options
    return this.#cache.open(request.tokens.slice(), scope === undefined ? {} : { scope })
  }

  #withAllOf(request: ScheduledRequest<Sequence, Sampling>): Sequence | undefined {
    const all = request.known - 1
    const isSource = (other: ScheduledRequest<Sequence, Sampling>): boolean =>
      other.computed >= all &&
      other.options.scope === request.options.scope &&
      isEqualUntil(all, other, request)
    return this.#running.find(isSource)?.sequence
  }

  /** Tokens of `request` that this step computes for one of `leaders`, all before them included; 0 if none does. */
  #soon(
    request: ScheduledRequest<Sequence, Sampling>,
    leaders: readonly ScheduledRequest<Sequence, Sampling>[],
  ): number {
    let soon = 0
    for (const leader of leaders) {
      // who ends with this step leaves whole blocks behind, and nothing to fork from
      const isSource = leader.known < leader.positions
      const most = this.#usable(Math.min(leader.known, request.known), request, { isSource })
      if (most <= Math.max(soon, leader.computed) || leader.options.scope !== request.options.scope) continue
      const shared = this.#usable(commonPrefix(leader.tokens, request.tokens), request, { isSource })
      if (shared > leader.computed) soon = Math.max(soon, shared)
    }
    return soon
  }

  /** Tokens of `request` that running requests have computed. */
  #ready(request: ScheduledRequest<Sequence, Sampling>): number {
    let ready = 0
    for (const other of this.#running) {
      if (other.computed <= ready || other.options.scope !== request.options.scope) continue
      const shared = Math.min(other.computed, commonPrefix(other.tokens, request.tokens))
      ready = Math.max(ready, this.#usable(shared, request, { isSource: true }))
    }
    return ready
  }

  /** How many of `shared` tokens `request` can take from another: whole blocks, or by a fork all but its last one. */
  #usable(
    shared: number,
    request: ScheduledRequest<Sequence, Sampling>,
    { isSource }: { readonly isSource: boolean },
  ): number {
    const all = request.known - 1
    if (this.#cache.fork && isSource && shared >= all) return all
    const usable = Math.min(shared, all)
    return usable - (usable % this.#cache.blockTokens)
  }
}

function commonPrefix(a: Int32Array, b: Int32Array): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length += 1
  return length
}

/** From the end: prompts that begin alike mostly differ there. */
function isEqualUntil(
  end: number,
  { tokens: a }: ScheduledRequest<CachedSequence, unknown>,
  { tokens: b }: ScheduledRequest<CachedSequence, unknown>,
): boolean {
  let at = end - 1
  while (at >= 0 && a[at] === b[at]) at -= 1
  return at < 0
}
