import { disposedError } from './checks.js'

/** @internal One cached value and who uses it. */
export interface Entry<V> {
  readonly scope: string
  readonly tokens: Int32Array
  readonly value: V
  readonly bytes: number
  leases: number
  /** False once the cache has given it up while it was leased. */
  attached: boolean
}

/** A value that `PrefixCache.match` found, kept as long as the lease is open. Close it, or declare it with `using`. */
export class Lease<V> implements Disposable {
  /** How many tokens the value stands for. */
  readonly length: number
  readonly #value: V
  readonly #onClose: () => void
  #closed = false

  /** @internal */
  constructor(entry: Entry<V>, onClose: () => void) {
    this.length = entry.tokens.length
    this.#value = entry.value
    this.#onClose = onClose
  }

  /** @throws ERR_BIO_DISPOSED after `close`. */
  get value(): V {
    if (this.#closed) throw disposedError('Lease.value', 'lease')
    return this.#value
  }

  /** Gives the value back. Closing twice is allowed. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#onClose()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
