import { BioError } from '@bio/errors'
import type { PackedMatrix } from '@bio/kernels'
import { GroupedLinear, Linear, mapModules, type Module } from '@bio/tensor'
import { packWeights } from './pack-weights.js'
import { PackedGroupedLinear } from './packed-grouped-linear.js'
import { PackedLinear } from './packed-linear.js'
import { sumUp, type LayerReport, type QuantizationReport } from './report.js'
import { checkFormat, type GroupSize, type WeightFormat } from './weight-format.js'

export interface QuantizeOptions {
  readonly weights: WeightFormat
  /** int4 only: columns that share a scale, 32 (default: finer) or 128 (smaller). */
  readonly groupSize?: GroupSize
  /** Which `Linear` and `GroupedLinear` to pack; all by default. */
  readonly include?: (path: string, module: Module) => boolean
}

/** A model for inference, and what making it cost. `dispose` frees the packed weights now instead of at garbage collection. */
export interface Quantized<Model extends Module> extends Disposable {
  readonly model: Model
  readonly report: QuantizationReport
  dispose(): void
}

/**
 * A copy of the model whose `Linear` and `GroupedLinear` layers hold packed weights, for inference. All else (norms, embeddings,
 * biases, routers) is shared with the model, which stays as it is. `stateDict()` of the copy holds only what is shared: save the model.
 *
 * - `f32` and `bf16`: w, or w rounded to bf16.
 * - `int8`: w ≈ s·q with s = max|w| / 127 per row, q in −127…127.
 * - `int4`: w ≈ s·(q − 8), q in 0…15, with s per group of columns: of 16 candidates around max|w| / 7.5 the one of least squared
 *   error. A layer whose columns are no whole groups takes int8; its entry in the report says so.
 *
 * With int8 and int4 each row of activations is quantized to int8 on the way (int4: by the group), sums are exact integers per group.
 *
 * Errors: ERR_BIO_CONFIG (options, or nothing to pack), ERR_BIO_VALUE (NaN or infinite weights); after an error nothing is held.
 *
 * @example
 * ```ts
 * import { quantize } from '@bio/precision'
 * import { Linear, noGrad, ones, Rng } from '@bio/tensor'
 *
 * using quantized = quantize(new Linear(64, 8, { rng: new Rng(1) }), { weights: 'int4' })
 * const y = noGrad(() => quantized.model.forward(ones([2, 64])))
 * console.log(y.shape.join(), quantized.report.bytes) // => 2,8 320
 * ```
 */
export function quantize<Model extends Module>(model: Model, options: QuantizeOptions): Quantized<Model> {
  const { weights: format, groupSize, include = () => true } = options
  checkFormat('quantize', format, groupSize)
  const packing = { format, groupSize: groupSize ?? 32 }
  const held: PackedMatrix[] = []
  const layers: LayerReport[] = []
  const dispose = (): void => held.forEach((packed) => packed.dispose())

  const replace = (path: string, module: Module): Module | undefined => {
    if (!(module instanceof Linear || module instanceof GroupedLinear) || !include(path, module))
      return undefined
    const values = module.weight.data as Float32Array
    const [columns, rows, experts = 1] = module.weight.shape.toReversed() as [number, number, number?]
    const { packed, error } = packWeights(values, { experts, rows, columns }, { path, ...packing })
    held.push(packed)
    layers.push({
      path,
      weights: packed.dtype,
      bytes: packed.bytes,
      originalBytes: values.byteLength,
      ...error,
    })
    return module instanceof Linear ? new PackedLinear(packed, module.bias) : new PackedGroupedLinear(packed)
  }

  try {
    const small = mapModules(model, replace)
    if (layers.length === 0) {
      throw new BioError('ERR_BIO_CONFIG', {
        operation: 'quantize',
        expected: 'a Linear or GroupedLinear in the model that include accepts',
        received: 'none',
      })
    }
    return { model: small, report: sumUp(layers), dispose, [Symbol.dispose]: dispose }
  } catch (error) {
    dispose()
    throw error
  }
}
