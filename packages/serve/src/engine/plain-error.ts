import { BioError, isBioError } from '@bio/errors'
import type { PlainError } from './messages.js'

/** An error as data, to cross a thread. What is not a BioError becomes ERR_BIO_ENGINE. */
export function toPlain(error: unknown): PlainError {
  if (isBioError(error)) {
    const { code, operation, expected, received, hint } = error
    const { retryAfterMs } = error as { retryAfterMs?: number }
    return {
      code,
      operation,
      expected,
      received,
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  const received = error instanceof Error ? error.message : String(error)
  return { code: 'ERR_BIO_ENGINE', operation: 'engine', expected: 'a step without error', received }
}

/** The BioError on the other side, with `retryAfterMs` where the queue was full. */
export function fromPlain({
  code,
  retryAfterMs,
  ...options
}: PlainError): BioError & { retryAfterMs?: number } {
  const error = new BioError(code, options)
  return retryAfterMs === undefined ? error : Object.assign(error, { retryAfterMs })
}
