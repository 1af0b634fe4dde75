import { BioError } from '@bio/errors'
import { isGradEnabled, type Tensor } from '@bio/tensor'

/** Throws ERR_BIO_GRADIENT where a gradient for one of the tensors would be lost: packed weights have no backward pass. */
export function checkInferenceOnly(operation: string, tensors: readonly (Tensor | undefined)[]): void {
  if (!isGradEnabled() || !tensors.some((tensor) => tensor?.requiresGrad)) return
  throw new BioError('ERR_BIO_GRADIENT', {
    operation,
    expected: 'no gradient to be asked for',
    received: 'an input or bias that requires one, while the tape records',
    hint: 'Run the quantized model under noGrad, or train the model that it was made from.',
  })
}
