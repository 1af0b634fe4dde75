import { BioError } from '@bio/errors'

/** Throws ERR_BIO_VALUE unless `value` is a whole number from `min` to 2⁵³ − 1. */
export function checkInteger(operation: string, name: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return
  throw new BioError('ERR_BIO_VALUE', {
    operation,
    expected: `${name} to be a whole number of at least ${min}`,
    received: String(value),
  })
}

/** Throws ERR_BIO_DTYPE unless `value` is an Int32Array. */
export function checkInt32(operation: string, name: string, value: unknown): void {
  if (value instanceof Int32Array) return
  throw new BioError('ERR_BIO_DTYPE', {
    operation,
    expected: `${name} as an Int32Array`,
    received: describe(value),
    hint: 'Int32Array.from(values) makes one.',
  })
}

/** Throws ERR_BIO_VALUE unless `scope` is a string; no scope at all is the scope ''. */
export function checkScope(operation: string, scope: unknown): void {
  if (typeof scope === 'string') return
  throw new BioError('ERR_BIO_VALUE', {
    operation,
    expected: 'scope to be a string',
    received: describe(scope),
  })
}

/** Throws ERR_BIO_INDEX unless 0 ≤ value < limit and whole. */
export function checkIndex(operation: string, name: string, value: number, limit: number): void {
  if (Number.isInteger(value) && value >= 0 && value < limit) return
  throw new BioError('ERR_BIO_INDEX', {
    operation,
    expected: `${name} in 0…${limit - 1}`,
    received: String(value),
  })
}

/** The error of a closed sequence, lease or cache. */
export function disposedError(operation: string, what: string): BioError {
  return new BioError('ERR_BIO_DISPOSED', {
    operation,
    expected: `an open ${what}`,
    received: `a closed ${what}`,
  })
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `${typeof value} ${String(value)}`
  return value.constructor?.name ?? 'object'
}
