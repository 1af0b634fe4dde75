import { BioError } from '@bio/errors'

/**
 * A bounded queue had no room (`ERR_BIO_QUEUE_FULL`): the request was not accepted and nothing of it will run.
 *
 * @example
 * ```ts
 * if (isBioError(error, 'ERR_BIO_QUEUE_FULL')) response.setHeader('Retry-After', Math.ceil(error.retryAfterMs / 1000))
 * ```
 */
export class QueueFullError extends BioError {
  /** Estimated milliseconds until what waits now has been taken, from the measured pace; at least 1. */
  readonly retryAfterMs: number

  constructor(operation: string, limits: { readonly maxQueue: number; readonly retryAfterMs: number }) {
    const retryAfterMs = Math.max(1, Math.ceil(limits.retryAfterMs))
    super('ERR_BIO_QUEUE_FULL', {
      operation,
      expected: `fewer than ${limits.maxQueue} waiting requests`,
      received: 'one more',
      hint: `Retry after ${retryAfterMs} ms`,
    })
    this.name = 'QueueFullError'
    this.retryAfterMs = retryAfterMs
  }
}
