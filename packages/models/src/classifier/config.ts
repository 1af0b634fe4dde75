import { checkBlock, checkSizes, refuseConfig, usualBlock, type BlockShape } from '../layers/block-shape.js'

/** The shape of a transformer encoder that classifies, with a head after each of some layers. */
export interface ClassifierConfig extends BlockShape {
  /** Values per token that come in. */
  readonly features: number
  readonly classes: number
  readonly layers: number
  /** Width inside the feed-forward blocks. */
  readonly hidden: number
  /** After how many layers each head answers, ascending; the last is `layers`. */
  readonly exits: readonly number[]
}

/** Fills in what most share: one head, after the last layer; headDim = dim / heads, ε = 1e-5, θ = 10,000. */
export function classifierConfig(
  options: Pick<ClassifierConfig, 'features' | 'classes' | 'dim' | 'layers' | 'heads' | 'hidden'> &
    Partial<ClassifierConfig>,
): ClassifierConfig {
  const config = { ...usualBlock(options), exits: [options.layers], ...options }
  checkClassifier(config, 'classifierConfig')
  return config
}

/** Throws ERR_BIO_CONFIG for a shape that no classifier can have. */
export function checkClassifier(config: ClassifierConfig, operation: string): void {
  const { features, classes, layers, hidden, exits } = config
  checkBlock(operation, config)
  checkSizes(operation, { features, classes, layers, hidden })
  const ascending = exits.every((exit, k) => Number.isInteger(exit) && exit > (exits[k - 1] ?? 0))
  if (!ascending || exits.at(-1) !== layers)
    refuseConfig(
      operation,
      `exits to be ascending counts of layers up to all ${layers}`,
      `[${exits.join(', ')}]`,
    )
}
