import { BioError } from '@bio/errors'

/**
 * A bounded queue had no room (`ERR_BIO_QUEUE_FULL`): the request was not accepted and nothing of it will run. It carries no stack trace:
 * under overload most requests are refused, and half of what a refusal costs would be the trace.
 *
 * @example
 * ```ts
 * import { Batcher, QueueFullError } from '@bio/batching'
 *
 * const batcher = new Batcher({ run: async (inputs) => inputs, maxBatchSize: 8, maxQueue: 1 })
 * const accepted = batcher.submit('first')
 * const refusal = await batcher.submit('second').catch((error) => error)
 * if (refusal instanceof QueueFullError) console.log(`Retry-After: ${Math.ceil(refusal.retryAfterMs / 1000)}`) // => Retry-After: 1
 * await accepted
 * ```
 */
export class QueueFullError extends BioError {
  /** Estimated milliseconds until what waits now has been taken, from the measured pace; at least 1. */
  readonly retryAfterMs: number

  constructor(operation: string, refusal: { readonly expected: string; readonly retryAfterMs: number }) {
    const retryAfterMs = Math.max(1, Math.ceil(refusal.retryAfterMs))
    const { stackTraceLimit } = Error
    Reflect.set(Error, 'stackTraceLimit', 0) // Unlike an assignment, it does not throw where `Error` is frozen.
    super('ERR_BIO_QUEUE_FULL', {
      operation,
      expected: refusal.expected,
      received: 'one more',
      hint: `Retry after ${retryAfterMs} ms`,
    })
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
    this.name = 'QueueFullError'
    this.retryAfterMs = retryAfterMs
  }
}
