import { BioError } from '@bio/errors'
import type { NativePackedMatrix } from './binding.js'

/** Weights that live on the Rust side until they are disposed. */
export abstract class NativeWeights implements Disposable {
  readonly bytes: number
  #handle: NativePackedMatrix | undefined

  constructor(handle: NativePackedMatrix) {
    this.bytes = handle.bytes
    this.#handle = handle
  }

  /** The handle, while nobody has disposed it; else ERR_BIO_DISPOSED, which calls it a `kind`. */
  alive(operation: string, kind: string): NativePackedMatrix {
    if (this.#handle !== undefined) return this.#handle
    throw new BioError('ERR_BIO_DISPOSED', {
      operation,
      expected: `a ${kind} in use`,
      received: 'one that was disposed',
    })
  }

  dispose(): void {
    this.#handle?.dispose()
    this.#handle = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}
