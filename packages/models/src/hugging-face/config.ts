import { BioError } from '@bio/errors'
import { checkConfig, type DecoderConfig } from '../decoder/config.js'

/** `config.json` of a Mixtral folder, as `transformers` reads it. */
export function toHuggingFaceConfig(config: DecoderConfig, endOfText: number): Record<string, unknown> {
  return {
    architectures: ['MixtralForCausalLM'],
    model_type: 'mixtral',
    vocab_size: config.vocabSize,
    hidden_size: config.dim,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    intermediate_size: config.hidden,
    num_local_experts: config.experts,
    num_experts_per_tok: config.topK,
    rms_norm_eps: config.normEpsilon,
    rope_theta: config.ropeTheta,
    // transformers 5 reads the first form, transformers 4 the second.
    rope_parameters: { rope_type: 'default', rope_theta: config.ropeTheta },
    max_position_embeddings: config.maxPositions,
    sliding_window: null,
    hidden_act: 'silu',
    tie_word_embeddings: false,
    attention_dropout: 0,
    router_aux_loss_coef: 0.01,
    output_router_logits: false,
    bos_token_id: endOfText,
    eos_token_id: endOfText,
    torch_dtype: 'float32',
    dtype: 'float32',
  }
}

/** Reads `config.json`; throws ERR_BIO_UNSUPPORTED for an architecture or option that the decoder lacks. */
export function fromHuggingFaceConfig(json: unknown, where: string): DecoderConfig {
  const fields = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  const only = (name: string, values: readonly unknown[]): void => {
    if (values.includes(fields[name])) return
    throw new BioError('ERR_BIO_UNSUPPORTED', {
      operation: 'loadHuggingFace',
      expected: `${name} to be ${values.map((value) => JSON.stringify(value) ?? 'absent').join(' or ')} in ${where}`,
      received: JSON.stringify(fields[name]) ?? 'nothing',
      hint: 'Only decoders in Mixtral format can be loaded so far.',
    })
  }
  only('model_type', ['mixtral'])
  only('hidden_act', ['silu', undefined])
  only('tie_word_embeddings', [false, undefined])
  only('sliding_window', [null, undefined])
  const number = (name: string, fallback?: number): number => {
    const value = fields[name] ?? fallback
    if (typeof value === 'number') return value
    throw new BioError('ERR_BIO_CONFIG', {
      operation: 'loadHuggingFace',
      expected: `a number ${name} in ${where}`,
      received: JSON.stringify(value) ?? 'nothing',
    })
  }
  const heads = number('num_attention_heads')
  const config: DecoderConfig = {
    vocabSize: number('vocab_size'),
    dim: number('hidden_size'),
    layers: number('num_hidden_layers'),
    heads,
    kvHeads: number('num_key_value_heads', heads),
    headDim: number('head_dim', number('hidden_size') / heads),
    hidden: number('intermediate_size'),
    experts: number('num_local_experts'),
    topK: number('num_experts_per_tok'),
    normEpsilon: number('rms_norm_eps', 1e-5),
    ropeTheta: ropeTheta(fields, only),
    maxPositions: number('max_position_embeddings'),
  }
  checkConfig(config, 'loadHuggingFace')
  return config
}

function ropeTheta(
  fields: Record<string, unknown>,
  only: (name: string, values: readonly unknown[]) => void,
): number {
  const parameters = fields['rope_parameters']
  if (typeof parameters === 'object' && parameters !== null) {
    const { rope_type: type, rope_theta: theta } = parameters as { rope_type?: unknown; rope_theta?: unknown }
    if ((type === 'default' || type === undefined) && typeof theta === 'number') return theta
    only('rope_parameters', ['{"rope_type":"default","rope_theta":…}'])
  }
  only('rope_scaling', [null, undefined])
  return typeof fields['rope_theta'] === 'number' ? fields['rope_theta'] : 1e6
}
