import { BioError } from '@bio/errors'

/** Weights that live on the Rust side until they are disposed, or forgotten. */
export abstract class NativeWeights<Handle> implements Disposable {
  readonly bytes: number
  readonly #free: (handle: Handle) => void
  #handle: Handle | undefined

  constructor(handle: Handle, bytes: number, free: (handle: Handle) => void) {
    this.bytes = bytes
    this.#handle = handle
    this.#free = free
  }

  /** The handle, while nobody has disposed it; else ERR_BIO_DISPOSED, which calls it a `kind`. */
  alive(operation: string, kind: string): Handle {
    if (this.#handle !== undefined) return this.#handle
    throw new BioError('ERR_BIO_DISPOSED', {
      operation,
      expected: `a ${kind} in use`,
      received: 'one that was disposed',
    })
  }

  dispose(): void {
    if (this.#handle !== undefined) this.#free(this.#handle)
    this.#handle = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
