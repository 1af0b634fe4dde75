import { BioError } from '@bio/errors'
import { Linear, type Module } from '@bio/tensor'

export interface PruneOptions {
  /** The share of the weights of every layer that becomes 0, from 0 to 1: 0.8 leaves a fifth. */
  readonly zeros: number
  /** Rows of a block, which stays or goes whole: 4 (default) or 16 run fast, 1 prunes weights one by one. */
  readonly block?: 1 | 4 | 16
  /** Which `Linear` to prune; all by default. */
  readonly include?: (path: string, layer: Linear) => boolean
}

/** What was pruned, to keep it so while training goes on. */
export interface Pruning {
  /** By path: the weights that are 0 now, and all. */
  readonly layers: readonly { readonly path: string; readonly zeros: number; readonly weights: number }[]
  /** Sets the pruned weights to 0 again: call it after every step of the optimiser. */
  apply(): void
}

/**
 * Sets the weakest blocks of the weights of every `Linear` to 0, in place; biases stay. A block is `block` outputs of one input, its
 * strength the sum of its squares. In a layer of B blocks the round(zeros·B) weakest go, of equals those with the lower index, so that the count
 * is exact. Prune in some rounds with training between them: what is left adapts.
 *
 * Errors, before anything is written: ERR_BIO_CONFIG (options, or no layer), ERR_BIO_VALUE (a weight that is NaN or infinite).
 * Magnitude pruning by layer: Han et al. 2015 (arXiv:1506.02626); by blocks: Gray et al. 2017, Narang et al. 2017 (arXiv:1711.02782).
 *
 * @example
 * ```ts
 * import { pruneWeights } from '@bio/sparse-moe'
 * import { Linear, Rng } from '@bio/tensor'
 *
 * const layer = new Linear(64, 32, { rng: new Rng(1) })
 * const pruning = pruneWeights(layer, { zeros: 0.75 })
 * console.log(layer.weight.data.filter((weight) => weight === 0).length, pruning.layers[0].weights) // => 1536 2048
 * ```
 */
export function pruneWeights(
  model: Module,
  { zeros, block = 4, include = () => true }: PruneOptions,
): Pruning {
  checkOptions(zeros, block)
  const layers = model
    .namedModules()
    .filter((entry): entry is [string, Linear] => entry[1] instanceof Linear && include(entry[0], entry[1]))
  if (layers.length === 0) refuse('ERR_BIO_CONFIG', 'a Linear in the model that include accepts', 'none')
  const pruned = layers.map(([path, layer]) => ({
    path,
    layer,
    indices: weakest(path, layer, { zeros, block }),
  }))
  const apply = (): void => {
    for (const { layer, indices } of pruned) {
      for (const index of indices) layer.weight.data[index] = 0
      layer.weight.storage.version++
    }
  }
  apply()
  return {
    layers: pruned.map(({ path, layer, indices }) => ({
      path,
      zeros: indices.length,
      weights: layer.weight.size,
    })),
    apply,
  }
}

/** Indices of the weights in the weakest blocks. */
function weakest(
  path: string,
  layer: Linear,
  { zeros, block }: { zeros: number; block: number },
): Uint32Array {
  const weights = layer.weight.data as Float32Array // [out, in]
  const { inFeatures: columns, outFeatures: rows } = layer
  const strength = new Float64Array(Math.ceil(rows / block) * columns) // [row blocks, in]
  weights.forEach((weight, i) => {
    if (!Number.isFinite(weight))
      refuse('ERR_BIO_VALUE', 'finite weights', `${weight} in ${path || 'the model'} at ${i}`)
    strength[Math.floor(i / columns / block) * columns + (i % columns)]! += weight * weight
  })
  const order = Uint32Array.from(strength.keys()).toSorted((a, b) => strength[a]! - strength[b]! || a - b)
  const gone = new Uint8Array(strength.length)
  for (const at of order.subarray(0, Math.round(zeros * strength.length))) gone[at] = 1
  return Uint32Array.from(weights.keys()).filter(
    (i) => gone[Math.floor(i / columns / block) * columns + (i % columns)] === 1,
  )
}

function checkOptions(zeros: number, block: number): void {
  if (!(zeros >= 0 && zeros <= 1)) refuse('ERR_BIO_CONFIG', 'zeros, a share from 0 to 1', String(zeros))
  if (![1, 4, 16].includes(block)) refuse('ERR_BIO_CONFIG', 'block, one of 1, 4, 16', String(block))
}

function refuse(code: string, expected: string, received: string): never {
  throw new BioError(code, { operation: 'pruneWeights', expected, received })
}
