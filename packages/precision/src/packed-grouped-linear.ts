import { BioError } from '@bio/errors'
import { getKernels, type PackedMatrix } from '@bio/kernels'
import { allocate, apply, Module, type Tensor } from '@bio/tensor'
import { checkInferenceOnly } from './inference-only.js'

/**
 * A `GroupedLinear`, the matrices of the experts, over packed weights, for inference: y[r] = Ŵ[e]·x[r] for the rows r of expert e.
 * `quantize` makes it.
 *
 * Errors: ERR_BIO_GRADIENT, ERR_BIO_SHAPE, ERR_BIO_DISPOSED.
 */
export class PackedGroupedLinear extends Module {
  readonly packed: PackedMatrix

  constructor(packed: PackedMatrix) {
    super()
    this.packed = packed
  }

  get experts(): number {
    return this.packed.experts
  }

  get inFeatures(): number {
    return this.packed.columns
  }

  get outFeatures(): number {
    return this.packed.rows
  }

  /**
   * @param x [rows, inFeatures], sorted by expert
   * @param offsets [experts + 1] where the rows of each expert begin
   * @param index row r is x[index[r]], and x need not be sorted: without a copy, and each row of x is quantized once
   */
  forward(x: Tensor, offsets: Int32Array, index?: Int32Array): Tensor {
    checkInferenceOnly('PackedGroupedLinear.forward', [x])
    const { inFeatures, outFeatures } = this
    if (x.shape.length !== 2 || x.shape[1] !== inFeatures) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'PackedGroupedLinear.forward',
        expected: `x [rows, ${inFeatures}]`,
        received: `[${x.shape.join(', ')}]`,
      })
    }
    const rows = index === undefined ? x.shape[0]! : index.length
    return apply({
      name: 'packedGroupedLinear',
      inputs: [x],
      forward: () => {
        const data = allocate(rows * outFeatures)
        getKernels().groupedMatmulPacked(data, x.data as Float32Array, this.packed, {
          offsets,
          ...(index === undefined ? {} : { index }),
        })
        return { shape: [rows, outFeatures], data }
      },
      backward: () => [undefined], // never recorded
    })
  }
}
