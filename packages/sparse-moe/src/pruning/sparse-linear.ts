import { BioError } from '@bio/errors'
import { getKernels, type SparseMatrix } from '@bio/kernels'
import { allocate, apply, isGradEnabled, Module, type Tensor } from '@bio/tensor'

/**
 * A `Linear` over sparse weights, for inference: y = x·Wᵀ + bias, with the bits that the packed dense weights would give for finite x. `sparsify`
 * makes it. Errors: ERR_BIO_GRADIENT, ERR_BIO_SHAPE, ERR_BIO_DISPOSED.
 */
export class SparseLinear extends Module {
  readonly sparse: SparseMatrix
  readonly bias: Tensor | undefined

  constructor(sparse: SparseMatrix, bias?: Tensor) {
    super()
    this.sparse = sparse
    this.bias = bias
  }

  get inFeatures(): number {
    return this.sparse.columns
  }

  get outFeatures(): number {
    return this.sparse.rows
  }

  /** @param x [..., inFeatures] */
  forward(x: Tensor): Tensor {
    const { inFeatures, outFeatures } = this
    if (isGradEnabled() && (x.requiresGrad || this.bias?.requiresGrad === true)) {
      throw new BioError('ERR_BIO_GRADIENT', {
        operation: 'SparseLinear.forward',
        expected: 'no gradient to be asked for',
        received: 'an input or bias that requires one, while the tape records',
        hint: 'Run the sparse model under noGrad, or train the pruned model that it was made from.',
      })
    }
    if (x.shape.at(-1) !== inFeatures) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'SparseLinear.forward',
        expected: `x [..., ${inFeatures}]`,
        received: `[${x.shape.join(', ')}]`,
      })
    }
    const m = x.size / inFeatures
    return apply({
      name: 'sparseLinear',
      inputs: [x],
      forward: () => {
        const data = allocate(m * outFeatures)
        const bias = this.bias?.data as Float32Array | undefined
        getKernels().sparseMatmul(data, x.data as Float32Array, this.sparse, {
          m,
          ...(bias === undefined ? {} : { bias }),
        })
        return { shape: [...x.shape.slice(0, -1), outFeatures], data }
      },
      backward: () => [undefined], // never recorded
    })
  }
}
