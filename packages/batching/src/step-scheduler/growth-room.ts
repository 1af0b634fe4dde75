import type { CachedSequence } from './contract.js'
import type { ScheduledRequest } from './scheduled-request.js'

/**
 * How much room beyond its known tokens every request needs before one more is admitted: hysteresis against preemption storms, in which
 * whoever is admitted too early is the next victim and computes its tokens again.
 *
 * Each step that preempts adds a block per request, and eight requests that end take it off again, so that about one request in eight is
 * preempted under any load. None at all would cost more: room that is kept for everyone runs fewer requests at a time.
 *
 * After SGLang's new-token ratio (scheduler.py), which keeps a share of `maxTokens` instead and decays by the step; a generous
 * `maxTokens` that nobody uses costs no room here.
 */
export class GrowthRoom {
  readonly #blockTokens: number
  #blocks = 1

  constructor(blockTokens: number) {
    this.#blockTokens = blockTokens
  }

  /** Tokens of room that `request` should have beyond those known. */
  tokensFor(request: ScheduledRequest<CachedSequence, unknown>): number {
    return Math.min(Math.round(this.#blocks) * this.#blockTokens, request.positions - request.known)
  }

  /** A step had to preempt. */
  widen(): void {
    this.#blocks += 1
  }

  /** A request ended. */
  narrow(): void {
    this.#blocks = Math.max(1, this.#blocks - 1 / 8)
  }
}
