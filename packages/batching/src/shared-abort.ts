/** A signal that aborts when the last of its holders has let go; made when first asked for, since most runs never look at it. */
export class SharedAbort {
  #controller: AbortController | undefined
  #holders: number
  #reason: unknown

  constructor(holders: number) {
    this.#holders = holders
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#holders === 0) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  release(reason: unknown): void {
    this.#holders -= 1
    if (this.#holders > 0) return
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
