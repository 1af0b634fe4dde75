import type { DecoderConfig } from '../decoder/config.js'
import type { Decoder } from '../decoder/decoder.js'
import type { Value } from '../gguf/header.js'
import { byteCharacters, CHAT_TEMPLATE } from '../tokenizer/byte-level.js'

/** A tensor to write, its sizes with the fastest first. */
export interface Tensor {
  readonly name: string
  readonly sizes: readonly number[]
  readonly type: number
  readonly bytes: Uint8Array
}

/** GGUF version 3. Numbers are written as u32 where they are whole and not negative, else as f32, as are those that llama.cpp wants so. */
export function writeGguf(metadata: Readonly<Record<string, Value>>, tensors: readonly Tensor[]): Uint8Array {
  return Buffer.concat([
    ggufHeader(metadata, tensors),
    ...tensors.flatMap(({ bytes }) => [bytes, Buffer.alloc(-bytes.length & 31)]),
  ])
}

/** All before the tensors, each of which begins at the next multiple of 32. */
export function ggufHeader(
  metadata: Readonly<Record<string, Value>>,
  tensors: readonly (Omit<Tensor, 'bytes'> & { bytes: { length: number } })[],
): Uint8Array {
  const parts: Buffer[] = []
  const number = (size: 4 | 8, value: number): void => {
    const bytes = Buffer.alloc(size)
    if (size === 4) bytes.writeUInt32LE(value)
    else bytes.writeBigUInt64LE(BigInt(value))
    parts.push(bytes)
  }
  const float = (value: number): void => {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    parts.push(bytes)
  }
  const string = (text: string): void => {
    const bytes = Buffer.from(text)
    number(8, bytes.length)
    parts.push(bytes)
  }
  const typeOf = (value: Value): number => {
    if (typeof value === 'string') return 8
    if (typeof value === 'boolean') return 7
    if (typeof value === 'number') return Number.isInteger(value) && value >= 0 ? 4 : 6
    return 9
  }
  const write = (value: Value): void => {
    if (typeof value === 'string') return string(value)
    if (typeof value === 'boolean') return void parts.push(Buffer.of(Number(value)))
    if (typeof value === 'number') {
      return typeOf(value) === 4 ? number(4, value) : float(value)
    }
    const inner = value.length === 0 ? 8 : typeOf(value[0]!)
    number(4, inner === 4 ? 5 : inner) // llama.cpp wants i32 in arrays: the same bytes
    number(8, value.length)
    value.forEach(write)
  }

  parts.push(Buffer.from('GGUF'))
  number(4, 3)
  number(8, tensors.length)
  number(8, Object.keys(metadata).length)
  for (const [key, value] of Object.entries(metadata)) {
    string(key)
    if (typeof value === 'number' && key === 'llama.rope.freq_base') {
      number(4, 6)
      float(value)
    } else {
      number(4, typeOf(value))
      write(value)
    }
  }
  let offset = 0
  for (const { name, sizes, type, bytes } of tensors) {
    string(name)
    number(4, sizes.length)
    for (const size of sizes) number(8, size)
    number(4, type)
    number(8, offset)
    offset += bytes.length + (-bytes.length & 31)
  }
  const header = Buffer.concat(parts)
  return Buffer.concat([header, Buffer.alloc(-header.length & 31)])
}

/** Turns a row-major matrix of floats into blocks. */
export type Encode = (values: Float32Array) => { type: number; bytes: Uint8Array }

export const f32: Encode = (values) => ({
  type: 0,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
})

/** Q4_0 with scales that are powers of two, so that writing them as halves needs no rounding. */
export const q4_0: Encode = (values) => {
  const bytes = new Uint8Array((values.length / 32) * 18)
  for (let block = 0; block < values.length / 32; block++) {
    const group = values.subarray(block * 32, (block + 1) * 32)
    const exponent = Math.max(-14, Math.ceil(Math.log2(Math.max(...group.map(Math.abs), 2 ** -20) / 7)))
    new DataView(bytes.buffer).setUint16(block * 18, (exponent + 15) << 10, true)
    const q = Array.from(group, (value) => Math.min(15, Math.round(value / 2 ** exponent) + 8))
    for (let j = 0; j < 16; j++) bytes[block * 18 + 2 + j] = q[j]! | (q[j + 16]! << 4)
  }
  return { type: 2, bytes }
}

/** What llama.cpp's converter does to the rows of queries and keys: i and i + headDim/2 of each head become neighbours. */
function paired(values: Float32Array, { headDim, dim }: DecoderConfig): Float32Array {
  const out = new Float32Array(values.length)
  for (let row = 0; row < values.length / dim; row++) {
    const within = row % headDim
    const place = row - within + 2 * (within % (headDim / 2)) + Math.floor(within / (headDim / 2))
    out.set(values.subarray(row * dim, (row + 1) * dim), place * dim)
  }
  return out
}

export function metadataOf(config: DecoderConfig): Record<string, Value> {
  return {
    'general.architecture': 'llama',
    'llama.embedding_length': config.dim,
    'llama.block_count': config.layers,
    'llama.feed_forward_length': config.hidden,
    'llama.attention.head_count': config.heads,
    'llama.attention.head_count_kv': config.kvHeads,
    'llama.attention.key_length': config.headDim,
    'llama.attention.value_length': config.headDim,
    'llama.rope.dimension_count': config.headDim,
    'llama.attention.layer_norm_rms_epsilon': config.normEpsilon,
    'llama.rope.freq_base': config.ropeTheta,
    'llama.context_length': config.maxPositions,
    'llama.vocab_size': config.vocabSize,
    ...(config.experts === 1
      ? {}
      : { 'llama.expert_count': config.experts, 'llama.expert_used_count': config.topK }),
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'gpt-2',
    'tokenizer.ggml.tokens': [...byteCharacters(), '<|endoftext|>'],
    'tokenizer.ggml.token_type': [...Array<number>(256).fill(1), 3],
    'tokenizer.ggml.merges': [],
    'tokenizer.ggml.bos_token_id': 256,
    'tokenizer.ggml.eos_token_id': 256,
    'tokenizer.ggml.add_bos_token': false,
    'tokenizer.chat_template': CHAT_TEMPLATE,
  }
}

/** The tensors of a file of the `llama` architecture; norms and routers in f32, all else encoded. */
export function tensorsOf(decoder: Decoder, encode: Encode): Tensor[] {
  const { config } = decoder
  const { dim, hidden, experts } = config
  const state = decoder.stateDict()
  const values = (name: string): Float32Array => state[`${name}.weight`]!.data as Float32Array
  const matrix = (name: string, data: Float32Array, sizes: readonly number[]): Tensor => ({
    name: `${name}.weight`,
    sizes,
    ...encode(data),
  })
  const exact = (name: string, data: Float32Array, sizes: readonly number[]): Tensor => ({
    name: `${name}.weight`,
    sizes,
    ...f32(data),
  })
  const layers = Array.from({ length: config.layers }, (_, layer) => {
    const [ours, theirs] = [`layers.${layer}`, `blk.${layer}`]
    const square = (
      module: string,
      name: string,
      rows: (x: Float32Array) => Float32Array = (x) => x,
    ): Tensor => {
      const data = values(`${ours}.${module}`)
      const columns = state[`${ours}.${module}.weight`]!.shape[1]!
      return matrix(`${theirs}.${name}`, rows(data), [columns, data.length / columns])
    }
    const gateUp = values(`${ours}.experts.gateUp`) // [experts, 2·hidden, dim]
    const half = (up: number): Float32Array => {
      const out = new Float32Array(experts * hidden * dim)
      for (let expert = 0; expert < experts; expert++) {
        const from = (2 * expert + up) * hidden * dim
        out.set(gateUp.subarray(from, from + hidden * dim), expert * hidden * dim)
      }
      return out
    }
    const stacked = experts === 1 ? (['', []] as const) : (['_exps', [experts]] as const)
    return [
      exact(`${theirs}.attn_norm`, values(`${ours}.attentionNorm`), [dim]),
      square('attention.query', 'attn_q', (x) => paired(x, config)),
      square('attention.key', 'attn_k', (x) => paired(x, config)),
      square('attention.value', 'attn_v'),
      square('attention.output', 'attn_output'),
      exact(`${theirs}.ffn_norm`, values(`${ours}.expertsNorm`), [dim]),
      ...(experts === 1
        ? []
        : [exact(`${theirs}.ffn_gate_inp`, values(`${ours}.experts.router`), [dim, experts])]),
      matrix(`${theirs}.ffn_gate${stacked[0]}`, half(0), [dim, hidden, ...stacked[1]]),
      matrix(`${theirs}.ffn_up${stacked[0]}`, half(1), [dim, hidden, ...stacked[1]]),
      matrix(`${theirs}.ffn_down${stacked[0]}`, values(`${ours}.experts.down`), [hidden, dim, ...stacked[1]]),
    ]
  })
  return [
    matrix('token_embd', values('embedding'), [dim, config.vocabSize]),
    ...layers.flat(),
    exact('output_norm', values('norm'), [dim]),
    matrix('output', values('head'), [dim, config.vocabSize]),
  ]
}
