import { BioError } from '@bio/errors'
import { getKernels, type SparseFormat } from '@bio/kernels'
import { Linear, mapModules, type Module } from '@bio/tensor'
import { SparseLinear } from './sparse-linear.js'

export interface SparsifyOptions {
  /** Default 'auto': for each layer the fastest by count, dense where none is faster. */
  readonly format?: SparseFormat | 'auto'
  /** 'auto' only: the rows of x that a forward pass will have; left out, any number. */
  readonly batch?: number
  /** Which `Linear` to take; all by default. */
  readonly include?: (path: string, layer: Linear) => boolean
}

/** A pruned model for inference. `dispose` frees its weights now instead of at garbage collection. */
export interface Sparsified<Model extends Module> extends Disposable {
  readonly model: Model
  readonly layers: readonly {
    readonly path: string
    readonly format: SparseFormat
    readonly bytes: number
    readonly originalBytes: number
  }[]
  dispose(): void
}

/**
 * A copy of a pruned model whose `Linear` layers leave out the weights that are 0, for inference; all else is shared with the model, which
 * stays as it is. A layer computes what it computed before. `stateDict()` of the copy holds only what is shared: save the model.
 *
 * Errors: ERR_BIO_CONFIG (no layer to take), ERR_BIO_VALUE (an unknown format), ERR_BIO_SHAPE (batch).
 *
 * @example
 * ```ts
 * import { pruneWeights, sparsify } from '@bio/sparse-moe'
 * import { Linear, noGrad, ones, Rng } from '@bio/tensor'
 *
 * const layer = new Linear(256, 256, { rng: new Rng(1) })
 * pruneWeights(layer, { zeros: 0.9 })
 * using sparse = sparsify(layer)
 * const y = noGrad(() => sparse.model.forward(ones([2, 256])))
 * console.log(y.shape.join(), sparse.layers[0].format) // => 2,256 4x1
 * ```
 */
export function sparsify<Model extends Module>(
  model: Model,
  options: SparsifyOptions = {},
): Sparsified<Model> {
  const { format = 'auto', batch, include = () => true } = options
  const made: { path: string; layer: SparseLinear }[] = []
  const dispose = (): void => made.forEach(({ layer }) => layer.sparse.dispose())

  const replace = (path: string, module: Module): Module | undefined => {
    if (!(module instanceof Linear) || !include(path, module)) return undefined
    const sparse = getKernels().packSparse(module.weight.data as Float32Array, {
      rows: module.outFeatures,
      columns: module.inFeatures,
      format,
      ...(batch === undefined ? {} : { batch }),
    })
    const layer = new SparseLinear(sparse, module.bias)
    made.push({ path, layer })
    return layer
  }

  try {
    const small = mapModules(model, replace)
    if (made.length === 0) {
      throw new BioError('ERR_BIO_CONFIG', {
        operation: 'sparsify',
        expected: 'a Linear in the model that include accepts',
        received: 'none',
      })
    }
    const layers = made.map(({ path, layer: { sparse } }) => ({
      path,
      format: sparse.format,
      bytes: sparse.bytes,
      originalBytes: 4 * sparse.rows * sparse.columns,
    }))
    return { model: small, layers, dispose, [Symbol.dispose]: dispose }
  } catch (error) {
    dispose()
    throw error
  }
}
