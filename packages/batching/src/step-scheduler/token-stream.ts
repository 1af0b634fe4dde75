import type { Generation, GenerationResult } from './generation.js'

/** The caller's end of a request: tokens are pushed in, any number of iterators read them, one result ends it. */
export class TokenStream implements Generation {
  readonly id: number
  readonly result: Promise<GenerationResult>
  readonly tokens: number[] = []
  readonly #onAbandoned: () => void
  #ended = false
  #failure: { readonly error: unknown } | undefined
  #waiters: (() => void)[] = []
  #resolve!: (result: GenerationResult) => void
  #reject!: (error: unknown) => void

  constructor(id: number, onAbandoned: () => void) {
    this.id = id
    this.#onAbandoned = onAbandoned
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.result.catch(() => {}) // whoever only iterates gets the error there
  }

  push(token: number): void {
    this.tokens.push(token)
    this.#wake()
  }

  end(result: GenerationResult): void {
    this.#ended = true
    this.#resolve(result)
    this.#wake()
  }

  fail(error: unknown): void {
    this.#ended = true
    this.#failure = { error }
    this.#reject(error)
    this.#wake()
  }

  /** By hand, since a generator would notice `return()` only after its pending `next()`. */
  [Symbol.asyncIterator](): AsyncIterator<number, undefined> {
    let position = 0
    return {
      next: async () => {
        while (position >= this.tokens.length && !this.#ended)
          await new Promise<void>((resolve) => this.#waiters.push(resolve))
        if (position < this.tokens.length) return { done: false, value: this.tokens[position++]! }
        if (this.#failure !== undefined) throw this.#failure.error
        return { done: true, value: undefined }
      },
      return: async () => {
        position = Infinity
        if (!this.#ended) this.#onAbandoned()
        return { done: true, value: undefined }
      },
    }
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
