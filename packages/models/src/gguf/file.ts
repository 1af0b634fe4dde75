import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { BioError } from '@bio/errors'

/** Where a GGUF file's bytes come from: the file, or a buffer in tests. */
export interface ByteSource {
  readonly path: string
  readonly size: number
  /** Fills `into` with the bytes from `position` on; the caller has checked that they are within `size`. */
  read(into: Uint8Array, position: number): void
}

/** An open file. Reads are synchronous: the conversion between them is too, and an engine loads in a thread of its own. */
export class GgufFile implements ByteSource, Disposable {
  readonly path: string
  readonly size: number
  readonly #descriptor: number

  constructor(path: string) {
    this.path = path
    this.#descriptor = io(path, () => openSync(path, 'r'))
    this.size = io(path, () => fstatSync(this.#descriptor).size)
  }

  read(into: Uint8Array, position: number): void {
    for (let done = 0; done < into.length;) {
      const count = io(this.path, () =>
        readSync(this.#descriptor, into, done, Math.min(2 ** 26, into.length - done), position + done),
      )
      if (count === 0)
        refuseGguf(this.path, `${into.length} bytes from ${position}`, `${done}: the file was cut`)
      done += count
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}

function io<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (cause) {
    throw new BioError('ERR_BIO_IO', {
      operation: 'loadGguf',
      expected: `a readable file ${path}`,
      received: (cause as NodeJS.ErrnoException).code ?? String(cause),
      cause,
    })
  }
}

/** Throws ERR_BIO_FORMAT: the file is damaged, or no GGUF file. */
export function refuseGguf(path: string, expected: string, received: string): never {
  throw new BioError('ERR_BIO_FORMAT', {
    operation: 'loadGguf',
    expected: `${expected} in ${path}`,
    received,
  })
}

/** Throws ERR_BIO_UNSUPPORTED: the file is sound, and holds what the decoder lacks. */
export function refuseUnsupported(path: string, expected: string, received: string, hint?: string): never {
  throw new BioError('ERR_BIO_UNSUPPORTED', {
    operation: 'loadGguf',
    expected: `${expected} in ${path}`,
    received,
    ...(hint === undefined ? {} : { hint }),
  })
}
