import { BioError } from '@bio/errors'
import { fromData, type Tensor } from '@bio/tensor'
import type { DecoderConfig } from '../decoder/config.js'

/** Our state, named as the modules are, against the names of a Mixtral file. */
type Weights = Record<string, Tensor>

const shared: readonly (readonly [ours: string, theirs: string])[] = [
  ['embedding.weight', 'model.embed_tokens.weight'],
  ['norm.weight', 'model.norm.weight'],
  ['head.weight', 'lm_head.weight'],
]

const perLayer: readonly (readonly [ours: string, theirs: string])[] = [
  ['attentionNorm.weight', 'input_layernorm.weight'],
  ['attention.query.weight', 'self_attn.q_proj.weight'],
  ['attention.key.weight', 'self_attn.k_proj.weight'],
  ['attention.value.weight', 'self_attn.v_proj.weight'],
  ['attention.output.weight', 'self_attn.o_proj.weight'],
  ['expertsNorm.weight', 'post_attention_layernorm.weight'],
  ['experts.router.weight', 'block_sparse_moe.gate.weight'],
]

function names(layers: number): (readonly [string, string])[] {
  const numbered = Array.from({ length: layers }, (_, layer) =>
    perLayer.map(([ours, theirs]) => [`layers.${layer}.${ours}`, `model.layers.${layer}.${theirs}`] as const),
  )
  return [...shared, ...numbered.flat()]
}

const expertName = (layer: number, expert: number, part: 'w1' | 'w2' | 'w3'): string =>
  `model.layers.${layer}.block_sparse_moe.experts.${expert}.${part}.weight`

/** Splits the grouped experts into Mixtral's one file entry per expert: w1 = gate, w3 = up, w2 = down. Nothing is copied. */
export function toMixtral(state: Weights, { layers, experts, hidden, dim }: DecoderConfig): Weights {
  const theirs: Weights = Object.fromEntries(names(layers).map(([from, to]) => [to, state[from]!]))
  for (let layer = 0; layer < layers; layer++) {
    const gateUp = state[`layers.${layer}.experts.gateUp.weight`]!.data as Float32Array // [experts, 2·hidden, dim]
    const down = state[`layers.${layer}.experts.down.weight`]!.data as Float32Array // [experts, dim, hidden]
    const size = hidden * dim
    for (let expert = 0; expert < experts; expert++) {
      const part = (data: Float32Array, index: number, shape: number[]): Tensor =>
        fromData(data.subarray(index * size, (index + 1) * size), shape)
      theirs[expertName(layer, expert, 'w1')] = part(gateUp, 2 * expert, [hidden, dim])
      theirs[expertName(layer, expert, 'w3')] = part(gateUp, 2 * expert + 1, [hidden, dim])
      theirs[expertName(layer, expert, 'w2')] = part(down, expert, [dim, hidden])
    }
  }
  return theirs
}

/** The way back. Throws ERR_BIO_FORMAT for a missing entry or another shape. */
export function fromMixtral(theirs: Weights, config: DecoderConfig): Weights {
  const { layers, experts, hidden, dim } = config
  const take = (name: string, shape?: readonly number[]): Tensor => {
    const found = theirs[name]
    if (found !== undefined && (shape === undefined || found.shape.join() === shape.join())) return found
    throw new BioError('ERR_BIO_FORMAT', {
      operation: 'loadHuggingFace',
      expected: `${name}${shape === undefined ? '' : ` of shape [${shape.join(', ')}]`} in model.safetensors`,
      received: found === undefined ? 'nothing' : `[${found.shape.join(', ')}]`,
      hint: 'config.json and model.safetensors must belong together.',
    })
  }
  const ours: Weights = Object.fromEntries(names(layers).map(([to, from]) => [to, take(from)]))
  for (let layer = 0; layer < layers; layer++) {
    const gateUp = new Float32Array(experts * 2 * hidden * dim)
    const down = new Float32Array(experts * dim * hidden)
    const size = hidden * dim
    for (let expert = 0; expert < experts; expert++) {
      gateUp.set(take(expertName(layer, expert, 'w1'), [hidden, dim]).data as Float32Array, 2 * expert * size)
      gateUp.set(
        take(expertName(layer, expert, 'w3'), [hidden, dim]).data as Float32Array,
        (2 * expert + 1) * size,
      )
      down.set(take(expertName(layer, expert, 'w2'), [dim, hidden]).data as Float32Array, expert * size)
    }
    ours[`layers.${layer}.experts.gateUp.weight`] = fromData(gateUp, [experts, 2 * hidden, dim])
    ours[`layers.${layer}.experts.down.weight`] = fromData(down, [experts, dim, hidden])
  }
  return ours
}
