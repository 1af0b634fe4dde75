import { BioError } from '@bio/errors'

/** What the attention and the norms of every model here need to know. */
export interface BlockShape {
  readonly dim: number
  readonly heads: number
  /** Key and value heads; `heads` is a multiple of it. */
  readonly kvHeads: number
  readonly headDim: number
  readonly normEpsilon: number
  readonly ropeTheta: number
}

/** What most models share: a key head per head, headDim = dim / heads, ε = 1e-5, θ = 10,000. */
export function usualBlock({ dim, heads }: Pick<BlockShape, 'dim' | 'heads'>): BlockShape {
  return { dim, heads, kvHeads: heads, headDim: dim / heads, normEpsilon: 1e-5, ropeTheta: 10_000 }
}

/** Refuses heads that attention cannot have, and constants outside their range. */
export function checkBlock(operation: string, shape: BlockShape): void {
  const { dim, heads, kvHeads, headDim, ropeTheta, normEpsilon } = shape
  checkSizes(operation, { dim, heads, kvHeads, headDim })
  if (heads % kvHeads !== 0)
    refuseConfig(operation, 'heads to be a multiple of kvHeads', `${heads} and ${kvHeads}`)
  if (headDim % 2 !== 0) refuseConfig(operation, 'an even headDim (rotary positions turn pairs)', headDim)
  if (!(normEpsilon > 0)) refuseConfig(operation, 'normEpsilon above 0', normEpsilon)
  if (!(ropeTheta > 0)) refuseConfig(operation, 'ropeTheta above 0', ropeTheta)
}

/** Refuses what is no positive integer that a kernel can count with. */
export function checkSizes(operation: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isSafeInteger(value) || value < 1 || value > 2 ** 31 - 1)
      refuseConfig(operation, `${name} to be a positive integer`, value)
}

/** Throws ERR_BIO_CONFIG. */
export function refuseConfig(operation: string, expected: string, received: unknown): never {
  throw new BioError('ERR_BIO_CONFIG', { operation, expected, received: String(received) })
}
