import { BioError } from '@bio/errors'
import { getKernels, type PackedMatrix } from '@bio/kernels'
import { allocate, apply, Module, type Tensor } from '@bio/tensor'
import { checkInferenceOnly } from './inference-only.js'

/**
 * A `Linear` over packed weights, for inference: y = x·Ŵᵀ + bias. With int8 and int4 each row of x is quantized to int8 on the way, so
 * a row has the same bits alone and in a batch. `quantize` makes it.
 *
 * Errors: ERR_BIO_GRADIENT, ERR_BIO_SHAPE, ERR_BIO_DISPOSED.
 */
export class PackedLinear extends Module {
  readonly packed: PackedMatrix
  readonly bias: Tensor | undefined

  constructor(packed: PackedMatrix, bias?: Tensor) {
    super()
    this.packed = packed
    this.bias = bias
  }

  get inFeatures(): number {
    return this.packed.columns
  }

  get outFeatures(): number {
    return this.packed.rows
  }

  /** @param x [..., inFeatures] */
  forward(x: Tensor): Tensor {
    checkInferenceOnly('PackedLinear.forward', [x, this.bias])
    const { inFeatures, outFeatures } = this
    if (x.shape.at(-1) !== inFeatures) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'PackedLinear.forward',
        expected: `x [..., ${inFeatures}]`,
        received: `[${x.shape.join(', ')}]`,
      })
    }
    const m = x.size / inFeatures
    return apply({
      name: 'packedLinear',
      inputs: [x],
      forward: () => {
        const data = allocate(m * outFeatures)
        const bias = this.bias?.data as Float32Array | undefined
        getKernels().matmulPacked(data, x.data as Float32Array, this.packed, {
          m,
          ...(bias === undefined ? {} : { bias }),
        })
        return { shape: [...x.shape.slice(0, -1), outFeatures], data }
      },
      backward: () => [undefined], // never recorded
    })
  }
}
