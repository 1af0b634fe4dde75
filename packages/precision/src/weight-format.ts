import { BioError } from '@bio/errors'

/**
 * How weights are held: `f32` as they are, `bf16` rounded to 8 bits of mantissa, `int8` with a scale per row, `int4` with a scale per
 * group of columns.
 */
export type WeightFormat = 'f32' | 'bf16' | 'int8' | 'int4'

/** Columns that share a scale in int4. */
export type GroupSize = 32 | 128

/** Throws ERR_BIO_CONFIG for a format or group size that does not exist, or a group size without groups. */
export function checkFormat(operation: string, weights: unknown, groupSize: unknown): void {
  if (!['f32', 'bf16', 'int8', 'int4'].includes(weights as string)) {
    throw new BioError('ERR_BIO_CONFIG', {
      operation,
      expected: "weights to be 'f32', 'bf16', 'int8' or 'int4'",
      received: String(weights),
    })
  }
  if (groupSize === undefined) return
  if (weights !== 'int4') {
    throw new BioError('ERR_BIO_CONFIG', {
      operation,
      expected: "groupSize only with weights: 'int4'",
      received: `groupSize ${String(groupSize)} with '${String(weights)}'`,
    })
  }
  if (groupSize === 32 || groupSize === 128) return
  throw new BioError('ERR_BIO_CONFIG', {
    operation,
    expected: 'groupSize 32 or 128',
    received: String(groupSize),
  })
}

/** The format that fits: int4 needs whole groups, else the layer takes int8, one step finer. */
export function fittingFormat(wish: WeightFormat, columns: number, groupSize: GroupSize): WeightFormat {
  return wish === 'int4' && columns % groupSize !== 0 ? 'int8' : wish
}
