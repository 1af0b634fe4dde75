/** A signal that aborts when the last of its holders has let go. */
export class SharedAbort {
  readonly #controller: AbortController = new AbortController()
  #holders: number

  constructor(holders: number) {
    this.#holders = holders
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  release(reason: unknown): void {
    this.#holders -= 1
    if (this.#holders === 0) this.#controller.abort(reason)
  }
}
