import { BioError } from '@bio/errors'

/** Throws ERR_BIO_CONFIG unless `value` is a whole number of at least 1. */
export function checkCount(operation: string, name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value < 2 ** 31) return
  throw new BioError('ERR_BIO_CONFIG', {
    operation,
    expected: `${name} to be a whole number of at least 1`,
    received: String(value),
  })
}

/** Throws ERR_BIO_CONFIG unless `value` is a finite number of at least 0. */
export function checkCoefficient(operation: string, name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return
  throw new BioError('ERR_BIO_CONFIG', {
    operation,
    expected: `${name} to be a finite number of at least 0`,
    received: String(value),
  })
}
