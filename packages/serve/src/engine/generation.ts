import { deferred } from './deferred.js'
import type { GenerationResult } from './messages.js'

interface Waiting {
  readonly resolve: (result: IteratorResult<number, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** One request's tokens as they come, for one reader; leaving the loop early aborts it. */
export class Generation implements AsyncIterable<number> {
  /** Resolves when the engine has taken the request; rejects when it refuses. */
  readonly accepted: Promise<void>
  /** Resolves at the end, an abort included; rejects when the request was refused or failed. */
  readonly result: Promise<GenerationResult>
  readonly #abort: () => void
  readonly #settled: () => void
  readonly #tokens: number[] = []
  readonly #accepted = deferred<void>()
  readonly #result = deferred<GenerationResult>()
  #waiting: Waiting | undefined
  #ended = false
  #error: unknown
  #unfollow: (() => void) | undefined

  constructor({ abort, settled }: { abort: () => void; settled: () => void }) {
    this.#abort = abort
    this.#settled = settled
    this.accepted = this.#accepted.promise
    this.result = this.#result.promise
    // A caller may read only the tokens, or only the result: neither alone is an unhandled rejection.
    this.accepted.catch(() => {})
    this.result.catch(() => {})
  }

  /** Stops computing within one step; tokens already made stay readable, and `result` says 'abort'. */
  abort(): void {
    if (!this.#ended) this.#abort()
  }

  follow(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const abort = (): void => this.abort()
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    this.#unfollow = () => signal.removeEventListener('abort', abort)
  }

  accept(): void {
    this.#accepted.resolve()
  }

  push(token: number): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) this.#tokens.push(token)
    else waiting.resolve({ value: token, done: false })
  }

  finish(result: GenerationResult): void {
    this.#end()
    this.#accepted.resolve()
    this.#result.resolve(result)
    this.#waiting?.resolve({ value: undefined, done: true })
  }

  fail(error: unknown): void {
    this.#end()
    this.#error = error
    this.#accepted.reject(error)
    this.#result.reject(error)
    this.#waiting?.reject(error)
  }

  [Symbol.asyncIterator](): AsyncIterator<number, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.abort()
        return { value: undefined, done: true }
      },
    }
  }

  #next(): Promise<IteratorResult<number, undefined>> {
    const token = this.#tokens.shift()
    if (token !== undefined) return Promise.resolve({ value: token, done: false })
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#ended) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #end(): void {
    this.#ended = true
    this.#unfollow?.()
    this.#settled()
  }
}
