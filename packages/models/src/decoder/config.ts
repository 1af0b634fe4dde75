import { checkBlock, checkSizes, refuseConfig, usualBlock, type BlockShape } from '../layers/block-shape.js'

/** The shape of a decoder whose feed-forward layers are mixtures of experts (Jiang et al. 2024, Mixtral). */
export interface DecoderConfig extends BlockShape {
  readonly vocabSize: number
  readonly layers: number
  /** Width of one expert. */
  readonly hidden: number
  readonly experts: number
  /** Experts that each token visits, at least 2: with one, a renormalised router has no gradient. A single expert needs none: a dense layer. */
  readonly topK: number
  /** Longest sequence, prompt and completion together. */
  readonly maxPositions: number
}

/** Fills in what most decoders share: headDim = dim / heads, ε = 1e-5, θ = 10,000. */
export function decoderConfig(
  options: Pick<
    DecoderConfig,
    'vocabSize' | 'dim' | 'layers' | 'heads' | 'hidden' | 'experts' | 'topK' | 'maxPositions'
  > &
    Partial<DecoderConfig>,
): DecoderConfig {
  const config = { ...usualBlock(options), ...options }
  checkConfig(config, 'decoderConfig')
  return config
}

/** Throws ERR_BIO_CONFIG for a shape that no decoder can have. */
export function checkConfig(config: DecoderConfig, operation: string): void {
  const { vocabSize, layers, hidden, experts, topK, maxPositions } = config
  checkBlock(operation, config)
  checkSizes(operation, { vocabSize, layers, hidden, experts, topK, maxPositions })
  if (topK > experts) refuseConfig(operation, `topK from 2 to ${experts} experts`, topK)
  if (topK < 2 && experts > 1)
    refuseConfig(
      operation,
      'topK of at least 2 (the format renormalises, which leaves a single expert without a gradient)',
      topK,
    )
}
