import { Rng } from '@bio/tensor'
import { decoderConfig, type DecoderConfig } from '../decoder/config.js'
import { Decoder } from '../decoder/decoder.js'

/** Small enough to check by hand, with every feature: grouped key heads, odd widths, more experts than a token visits. */
export const tinyConfig: DecoderConfig = decoderConfig({
  vocabSize: 257,
  dim: 32,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  hidden: 32,
  experts: 4,
  topK: 2,
  maxPositions: 96,
})

export function tinyDecoder(seed = 1): Decoder {
  return new Decoder(tinyConfig, { rng: new Rng(seed) })
}
