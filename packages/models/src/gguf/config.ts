import { checkConfig, type DecoderConfig } from '../decoder/config.js'
import { refuseGguf, refuseUnsupported } from './file.js'
import type { Header } from './header.js'

/**
 * The decoder's shape from the metadata of the `llama` architecture: Llama, Mistral and Mixtral. A dense model is a mixture of one expert.
 * Throws ERR_BIO_FORMAT for what is missing, ERR_BIO_UNSUPPORTED for what the decoder lacks, ERR_BIO_CONFIG for a shape that cannot be.
 */
export function fromMetadata({ metadata, tensors }: Header, path: string): DecoderConfig {
  const architecture = metadata.get('general.architecture')
  if (architecture !== 'llama')
    refuseUnsupported(path, 'general.architecture llama', JSON.stringify(architecture) ?? 'none')
  const only = (key: string, values: readonly unknown[]): void => {
    const value = metadata.get(key)
    if (value !== undefined && !values.includes(value))
      refuseUnsupported(path, `${key} to be ${values.join(' or ')}`, JSON.stringify(value))
  }
  const number = (key: string, fallback?: number): number => {
    const value = metadata.get(key) ?? fallback
    if (typeof value === 'number') return value
    return refuseGguf(path, `a number ${key}`, JSON.stringify(value) ?? 'nothing')
  }
  only('llama.rope.scaling.type', ['none'])
  only('llama.rope.scale_linear', [1])
  only('llama.attention.sliding_window', [0])
  if (tensors.has('rope_freqs.weight'))
    refuseUnsupported(path, 'plain rotary positions', 'rope_freqs.weight', 'Llama 3.1 and later scale them.')
  const heads = number('llama.attention.head_count')
  const dim = number('llama.embedding_length')
  const headDim = number('llama.attention.key_length', dim / heads)
  only('llama.attention.value_length', [headDim])
  only('llama.rope.dimension_count', [headDim])
  const experts = number('llama.expert_count', 0)
  const config: DecoderConfig = {
    vocabSize:
      tensors.get('token_embd.weight')?.rows ?? refuseGguf(path, 'a tensor token_embd.weight', 'none'),
    dim,
    layers: number('llama.block_count'),
    heads,
    kvHeads: number('llama.attention.head_count_kv', heads),
    headDim,
    hidden: number('llama.feed_forward_length'),
    experts: Math.max(1, experts),
    topK: experts === 0 ? 1 : number('llama.expert_used_count'),
    normEpsilon: number('llama.attention.layer_norm_rms_epsilon'),
    ropeTheta: number('llama.rope.freq_base', 10_000),
    maxPositions: number('llama.context_length'),
  }
  checkConfig(config, 'loadGguf')
  // A wrong count must not build layers that the file cannot fill.
  if (config.layers > tensors.size)
    refuseGguf(path, `the tensors of ${config.layers} layers`, `${tensors.size} tensors`)
  return config
}
