import { BioError } from '@bio/errors'

/** The shape of a decoder whose feed-forward layers are mixtures of experts (Jiang et al. 2024, Mixtral). */
export interface DecoderConfig {
  readonly vocabSize: number
  readonly dim: number
  readonly layers: number
  readonly heads: number
  /** Key and value heads; `heads` is a multiple of it. */
  readonly kvHeads: number
  readonly headDim: number
  /** Width of one expert. */
  readonly hidden: number
  readonly experts: number
  /** Experts that each token visits, at least 2: with one, a renormalised router has no gradient. */
  readonly topK: number
  readonly normEpsilon: number
  readonly ropeTheta: number
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
  const config = {
    kvHeads: options.heads,
    headDim: options.dim / options.heads,
    normEpsilon: 1e-5,
    ropeTheta: 10_000,
    ...options,
  }
  checkConfig(config, 'decoderConfig')
  return config
}

/** Throws ERR_BIO_CONFIG for a shape that no decoder can have. */
export function checkConfig(config: DecoderConfig, operation: string): void {
  const refuse = (expected: string, received: unknown): never => {
    throw new BioError('ERR_BIO_CONFIG', { operation, expected, received: String(received) })
  }
  const sizes = [
    'vocabSize',
    'dim',
    'layers',
    'heads',
    'kvHeads',
    'headDim',
    'hidden',
    'experts',
    'topK',
    'maxPositions',
  ] as const
  for (const name of sizes) {
    const value = config[name]
    if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 31 - 1)
      refuse(`${name} to be a positive integer`, value)
  }
  if (config.heads % config.kvHeads !== 0)
    refuse('heads to be a multiple of kvHeads', `${config.heads} and ${config.kvHeads}`)
  if (config.headDim % 2 !== 0) refuse('an even headDim (rotary positions turn pairs)', config.headDim)
  if (config.topK > config.experts) refuse(`topK from 2 to ${config.experts} experts`, config.topK)
  if (config.topK < 2)
    refuse(
      'topK of at least 2 (the format renormalises, which leaves a single expert without a gradient)',
      config.topK,
    )
  if (!(config.normEpsilon > 0)) refuse('normEpsilon above 0', config.normEpsilon)
  if (!(config.ropeTheta > 0)) refuse('ropeTheta above 0', config.ropeTheta)
}
