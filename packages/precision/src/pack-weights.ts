import { BioError } from '@bio/errors'
import { getKernels, type PackedMatrix } from '@bio/kernels'
import { measureError, type WeightError } from './weight-error.js'
import { fittingFormat, type GroupSize, type WeightFormat } from './weight-format.js'

export interface PackedWeights {
  readonly packed: PackedMatrix
  readonly error: WeightError
}

/**
 * Packs weights [experts, rows, columns] once and measures what that lost. Errors: ERR_BIO_VALUE for a weight that is NaN or infinite,
 * since it would spread to its whole group.
 */
export function packWeights(
  weights: Float32Array,
  shape: { experts: number; rows: number; columns: number },
  { path, format, groupSize }: { path: string; format: WeightFormat; groupSize: GroupSize },
): PackedWeights {
  const broken = weights.findIndex((weight) => !Number.isFinite(weight))
  if (broken >= 0) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'quantize',
      expected: 'finite weights',
      received: `${weights[broken]} in ${path || 'the model'} at ${broken}`,
      hint: 'Training has diverged, or the file is damaged.',
    })
  }
  const kernels = getKernels()
  const dtype = fittingFormat(format, shape.columns, groupSize)
  const packed = kernels.pack(weights, { ...shape, dtype, ...(dtype === 'int4' ? { groupSize } : {}) })
  const unpacked = new Float32Array(weights.length)
  kernels.unpack(unpacked, packed)
  return { packed, error: measureError(weights, unpacked) }
}
