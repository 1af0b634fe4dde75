import { BioError } from '@bio/errors'
import { checkDelay } from './check.js'

/** How long a shutdown may take. */
export interface DrainOptions {
  /** After so many milliseconds whatever is unfinished is rejected with `ERR_BIO_CLOSED`. Default 30,000. */
  readonly timeoutMs?: number
}

/** The last phase of a queue: closed to newcomers, waiting until it is idle, giving up after a time. */
export class Drain {
  closed = false
  readonly #operation: string
  readonly #isIdle: () => boolean
  readonly #waiters: Set<() => void> = new Set()

  constructor(operation: string, isIdle: () => boolean) {
    this.#operation = operation
    this.#isIdle = isIdle
  }

  /** Refuses newcomers of a closed queue (`ERR_BIO_CLOSED`). */
  checkOpen(): void {
    if (this.closed) throw this.error('a request after drain()')
  }

  error(received: string): BioError {
    return new BioError('ERR_BIO_CLOSED', { operation: this.#operation, expected: 'an open queue', received })
  }

  /** Tells that something ended; whoever waits for idleness is released if this was the last. */
  notify(): void {
    if (!this.#isIdle()) return
    for (const release of this.#waiters) release()
    this.#waiters.clear()
  }

  /** Closes, then waits for idleness; after the time is over calls `abandon` and waits no longer. */
  async close({ timeoutMs = 30_000 }: DrainOptions, abandon: (error: BioError) => void): Promise<void> {
    checkDelay(`${this.#operation}.drain`, 'timeoutMs', timeoutMs)
    this.closed = true
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(release)
        abandon(this.error(`drain() gave up after ${timeoutMs} ms`))
        resolve()
      }, timeoutMs)
      const release = (): void => {
        clearTimeout(timer)
        resolve()
      }
      this.#waiters.add(release)
    })
  }
}
