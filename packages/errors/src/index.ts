const brand = Symbol.for('@bio/errors/BioError')

/** What an error says beside its code. */
export interface BioErrorOptions {
  /** The public operation that refused, e.g. `matmul`. */
  readonly operation: string
  /** What the operation accepts. */
  readonly expected: string
  /** What came instead. */
  readonly received: string
  /** What to do about it, one imperative sentence. */
  readonly hint?: string
  readonly cause?: unknown
}

/**
 * The error that every `@bio` package throws: data first, a sentence second.
 *
 * `code` is stable (`ERR_BIO_SHAPE`, `ERR_BIO_QUEUE_FULL`, …): branch on it, never on the message.
 *
 * @example
 * ```ts
 * import { BioError } from '@bio/errors'
 *
 * const error = new BioError('ERR_BIO_SHAPE', { operation: 'matmul', expected: 'b of 12 values', received: '11 values' })
 * console.log(error.message) // => matmul: expected b of 12 values, received 11 values
 * ```
 */
export class BioError extends Error implements BioErrorOptions {
  readonly code: string
  readonly operation: string
  readonly expected: string
  readonly received: string
  readonly hint?: string

  constructor(code: string, options: BioErrorOptions) {
    const { operation, expected, received, hint, cause } = options
    super(
      `${operation}: expected ${expected}, received ${received}${hint === undefined ? '' : `. ${hint}`}`,
      cause === undefined ? {} : { cause },
    )
    this.name = 'BioError'
    this.code = code
    this.operation = operation
    this.expected = expected
    this.received = received
    if (hint !== undefined) this.hint = hint
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True for a `BioError` of any installed copy of this package; with `code`, only for that code. */
export function isBioError(error: unknown, code?: string): error is BioError {
  return (
    typeof error === 'object' &&
    error !== null &&
    brand in error &&
    (code === undefined || ('code' in error && error.code === code))
  )
}
