import { BioError } from '@bio/errors'

/** The matrix, if this backend made it; else ERR_BIO_VALUE, which calls it a `kind`. */
export function madeHere<Matrix>(
  operation: string,
  matrix: unknown,
  type: new (...args: never[]) => Matrix,
  kind = 'matrix',
): Matrix {
  if (matrix instanceof type) return matrix
  throw new BioError('ERR_BIO_VALUE', {
    operation,
    expected: `a ${kind} that this backend packed`,
    received: 'one of another backend',
    hint: 'Pack and multiply with the same kernels.',
  })
}
