/** The classic limit of an API: a bucket of `capacity` calls that refills at `perSecond`; a call with no token left is told when to come back. */
export class TokenBucket {
  readonly #capacity: number
  readonly #perSecond: number
  #tokens: number
  #filledAt: number = performance.now()

  constructor({ capacity, perSecond }: { readonly capacity: number; readonly perSecond: number }) {
    this.#capacity = capacity
    this.#perSecond = perSecond
    this.#tokens = capacity
  }

  /** Takes a token: 0, or the milliseconds until there is one. */
  take(): number {
    const now = performance.now()
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return ((1 - this.#tokens) / this.#perSecond) * 1000
    this.#tokens -= 1
    return 0
  }
}
