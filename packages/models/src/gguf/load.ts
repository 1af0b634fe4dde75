import { getKernels, type BlockType, type PackedDtype } from '@bio/kernels'
import { PackedGroupedLinear, PackedLinear, type GroupSize, type WeightFormat } from '@bio/precision'
import { fromData, GroupedLinear, Linear, mapModules, Rng, type Module } from '@bio/tensor'
import type { DecoderConfig } from '../decoder/config.js'
import { Decoder } from '../decoder/decoder.js'
import type { PackedModel } from '../packed-model.js'
import { fromMetadata } from './config.js'
import { GgufFile, type ByteSource } from './file.js'
import { readHeader } from './header.js'
import { weightsOf, type Part, type Weight } from './names.js'
import { ggufTokenizer } from './tokenizer.js'

export interface GgufOptions {
  /**
   * How the layers are held. Default: q4_0 as int4 by groups of 32, which is the same numbers; all else as int8, a scale per row. int8 and
   * int4 of other types are quantized again from the file's values.
   */
  readonly weights?: WeightFormat | undefined
  /** int4 only: 32 (default) or 128. */
  readonly groupSize?: GroupSize
}

/** Bytes of a tensor that are read at a time: all that is held twice. */
const chunkBytes = 2 ** 20

/**
 * Reads a GGUF file of the `llama` architecture (Llama, Mistral, Mixtral; F32, F16, BF16, Q4_0, Q8_0, Q4_K, Q6_K) with its byte-level BPE
 * tokenizer into a decoder for inference. Each tensor is packed as it is read, a mebibyte at a time; embeddings, norms and routers are
 * held in f32. Throws ERR_BIO_IO, ERR_BIO_FORMAT (a damaged file), ERR_BIO_UNSUPPORTED (one that holds what the decoder lacks) or
 * ERR_BIO_CONFIG, naming the file; ERR_BIO_VALUE for weights that are NaN or infinite.
 */
export async function loadGguf(path: string, options: GgufOptions = {}): Promise<PackedModel> {
  using file = new GgufFile(path)
  const header = readHeader(file)
  const config = fromMetadata(header, path)
  const tokenizer = ggufTokenizer(header, path)
  const weights = weightsOf(header, config, path)
  const modules = new Map<string, Module>()
  const skeleton = decoderSkeleton(config)
  const owned = new Map(skeleton.namedModules())
  const held: Disposable[] = []
  try {
    let weightBytes = 0
    for (const weight of weights) {
      const module = owned.get(weight.path)!
      if (module instanceof Linear || module instanceof GroupedLinear) {
        const packed = pack(file, weight, options)
        held.push(packed)
        weightBytes += packed.bytes
        modules.set(
          weight.path,
          module instanceof Linear ? new PackedLinear(packed) : new PackedGroupedLinear(packed),
        )
      } else {
        const data = unpacked(file, weight)
        weightBytes += data.byteLength
        const shape = weight.rows === 1 ? [weight.columns] : [weight.rows, weight.columns]
        modules.set(weight.path, withFields(module, { weight: fromData(data, shape) }))
      }
      // Others in this thread take their turn.
      await new Promise((turn) => setImmediate(turn))
    }
    const parameters = [...header.tensors.values()].reduce(
      (sum, t) => sum + t.experts * t.rows * t.columns,
      0,
    )
    const decoder = ofSize(
      mapModules(skeleton, (at) => modules.get(at)),
      config,
    )
    const dispose = (): void => held.forEach((packed) => packed[Symbol.dispose]())
    return { decoder, tokenizer, parameters, weightBytes, dispose, [Symbol.dispose]: dispose }
  } catch (error) {
    held.forEach((packed) => packed[Symbol.dispose]())
    throw error
  }
}

/** A decoder with every module of this config and hardly any weights: all are put in its place. */
function decoderSkeleton(config: DecoderConfig): Decoder {
  const small = { vocabSize: 1, dim: 2, heads: 1, kvHeads: 1, headDim: 2, hidden: 1 }
  return new Decoder({ ...config, ...small }, { rng: new Rng(0) }).eval()
}

/** Gives the sizes of the config to what has read them of the skeleton's. */
function ofSize(decoder: Decoder, config: DecoderConfig): Decoder {
  Object.assign(decoder, { config })
  for (const { attention, experts } of decoder.layers) {
    Object.assign(attention, { config })
    Object.assign(experts, { dim: config.dim })
    // Nothing is routed to a single expert: its logit may be anything.
    if (config.experts === 1)
      Object.assign(experts.router, { weight: fromData(new Float32Array(config.dim), [1, config.dim]) })
  }
  return decoder
}

function withFields<M extends Module>(module: M, fields: object): M {
  return Object.assign(Object.create(Object.getPrototypeOf(module) as object) as M, module, fields)
}

function formatOf(type: BlockType, columns: number, { weights, groupSize = 32 }: GgufOptions): PackedDtype {
  const wish = weights ?? (type === 'q4_0' ? 'int4' : 'int8')
  return wish === 'int4' && columns % groupSize !== 0 ? 'int8' : wish
}

function pack(file: ByteSource, weight: Weight, options: GgufOptions) {
  const { parts, experts, rows, columns } = weight
  const kernels = getKernels()
  const dtype = formatOf(parts[0]!.tensor.type, columns, options)
  const groupSize = options.groupSize ?? 32
  const packed = kernels.packZeros({
    dtype,
    experts,
    rows,
    columns,
    ...(dtype === 'int4' ? { groupSize } : {}),
  })
  try {
    for (const part of parts)
      for (const { blocks, first, count } of chunks(file, part)) {
        const places = Int32Array.from({ length: count }, (_, i) => part.place(first + i))
        kernels.setBlocks(packed, places, blocks, part.tensor.type)
      }
    return packed
  } catch (error) {
    packed.dispose()
    throw error
  }
}

function unpacked(file: ByteSource, { parts, rows, columns }: Weight): Float32Array {
  const out = new Float32Array(rows * columns)
  for (const part of parts)
    for (const { blocks, first, count } of chunks(file, part))
      getKernels().dequantizeBlocks(
        out.subarray(first * columns, (first + count) * columns),
        blocks,
        part.tensor.type,
      )
  return out
}

/** The rows of a part, some at a time, through one buffer. */
function* chunks(
  file: ByteSource,
  { tensor }: Part,
): Generator<{ blocks: Uint8Array; first: number; count: number }> {
  const total = tensor.experts * tensor.rows
  const perChunk = Math.max(1, Math.floor(chunkBytes / tensor.rowBytes))
  const buffer = new Uint8Array(Math.min(perChunk, total) * tensor.rowBytes)
  for (let first = 0; first < total; first += perChunk) {
    const count = Math.min(perChunk, total - first)
    const blocks = buffer.subarray(0, count * tensor.rowBytes)
    file.read(blocks, tensor.begin + first * tensor.rowBytes)
    yield { blocks, first, count }
  }
}
