import { getKernels } from '@bio/kernels'
import { BioError } from '@bio/errors'
import type { Tensor } from '../tensor.js'

/**
 * Scales all gradients so that their common Euclidean norm is at most `maxNorm`, and returns the norm before. If it is NaN or infinite
 * the gradients stay as they are (PyTorch makes all of them NaN): check the result to skip the step. Errors: ERR_BIO_VALUE unless maxNorm > 0.
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxNorm: number): number {
  if (!(maxNorm > 0)) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'clipGradNorm',
      expected: 'maxNorm above 0',
      received: String(maxNorm),
    })
  }
  const gradients = [...new Set(parameters)].flatMap(({ grad }) =>
    grad === undefined ? [] : [grad.data as Float32Array],
  )
  const norm = Math.sqrt(gradients.reduce((sum, gradient) => sum + getKernels().sumOfSquares(gradient), 0))
  const factor = maxNorm / (norm + 1e-6)
  if (Number.isFinite(norm) && factor < 1)
    for (const gradient of gradients) getKernels().scale(gradient, gradient, factor)
  return norm
}
