import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PagedKvCache } from '@bio/kv-cache'
import { quantize } from '@bio/precision'
import { Rng } from '@bio/tensor'
import { afterAll, expect, test } from 'vitest'
import { Decoder } from '../decoder/decoder.js'
import { loadHuggingFace, saveHuggingFace } from '../hugging-face/folder.js'
import { loadPacked } from '../packed-model.js'
import { f32, metadataOf, q4_0, tensorsOf, writeGguf, type Tensor } from '../testing/gguf-writer.js'
import { tinyConfig, tinyDecoder } from '../testing/tiny.js'
import { loadTokenizer } from '../tokenizer/load.js'
import type { Value } from './header.js'
import { loadGguf } from './load.js'

const home = mkdtempSync(join(tmpdir(), 'bio-gguf-'))
afterAll(() => rmSync(home, { recursive: true }))

let files = 0
function file(metadata: Record<string, Value>, tensors: readonly Tensor[]): string {
  const path = join(home, `${files++}.gguf`)
  writeFileSync(path, writeGguf(metadata, tensors))
  return path
}

const prompt = Int32Array.from({ length: 23 }, (_, i) => (i * 53) % 257)

/** Logits after the prompt. */
function logits(decoder: Decoder): Float32Array {
  const { layers, kvHeads, headDim } = decoder.config
  using cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens: 4, bytes: 2 ** 20 })
  const sequence = cache.open(prompt)
  sequence.reserve(prompt.length)
  return decoder.step([{ sequence, tokens: prompt, start: 0 }], cache).slice()
}

test.each(['f32', 'bf16', 'int8', 'int4'] as const)(
  '%s: a file has the logits of a Hugging Face folder with the same weights, bit for bit',
  async (weights) => {
    const decoder = tinyDecoder(5)
    await saveHuggingFace(decoder, join(home, 'folder'))
    const folder = await loadHuggingFace(join(home, 'folder'))
    using truth = quantize(folder.decoder, { weights })
    using loaded = await loadGguf(file(metadataOf(tinyConfig), tensorsOf(decoder, f32)), { weights })
    expect(loaded.decoder.config).toEqual({ ...tinyConfig, normEpsilon: Math.fround(tinyConfig.normEpsilon) })
    expect(logits(loaded.decoder)).toEqual(logits(truth.model))
    using other = await loadPacked(join(home, 'folder'), { weights })
    expect([loaded.parameters, loaded.weightBytes]).toEqual([other.parameters, other.weightBytes])
  },
)

test('q4_0 stays what it is: the logits are those of its values in int4, and to rounding those of its values in f32', async () => {
  const path = file(metadataOf(tinyConfig), tensorsOf(tinyDecoder(6), q4_0))
  using packed = await loadGguf(path)
  using exact = await loadGguf(path, { weights: 'f32' })
  using wide = await loadGguf(path, { weights: 'int8' })
  const [int4, truth, int8] = [packed, exact, wide].map(({ decoder }) => logits(decoder))
  const distance = (a: Float32Array): number =>
    Math.hypot(...a.map((value, i) => value - truth![i]!)) / Math.hypot(...truth!)
  // Both quantize activations to int8; only int8 also quantizes the weights again.
  expect(distance(int4!)).toBeLessThan(0.02)
  expect(distance(int8!)).toBeLessThan(0.03)
  expect(packed.weightBytes).toBeLessThan(wide.weightBytes)
  const size = tinyConfig.experts * 2 * tinyConfig.hidden * tinyConfig.dim
  const layer = packed.decoder.layers[1]!.experts.gateUp as unknown as {
    packed: { dtype: string; bytes: number }
  }
  expect([layer.packed.dtype, layer.packed.bytes]).toEqual(['int4', size / 2 + size / 8])
})

test('a dense model is a mixture of one expert, and an embedding without a head serves as one', async () => {
  const config = { ...tinyConfig, experts: 1, topK: 1 }
  const decoder = new Decoder(config, { rng: new Rng(3) })
  decoder.head.weight.data.set(decoder.embedding.weight.data)
  const tensors = tensorsOf(decoder, f32).filter(({ name }) => name !== 'output.weight')
  using loaded = await loadGguf(file(metadataOf(config), tensors), { weights: 'f32' })
  using truth = quantize(decoder, { weights: 'f32' })
  expect(logits(loaded.decoder)).toEqual(logits(truth.model))
})

test('a tensor per expert, as files of 2023 have them, loads as one of all experts', async () => {
  const decoder = tinyDecoder(8)
  const tensors = tensorsOf(decoder, f32)
  const apart = tensors.flatMap((tensor): Tensor[] => {
    const stem = /^(.*)_exps\.weight$/.exec(tensor.name)?.[1]
    if (stem === undefined) return [tensor]
    const size = tensor.bytes.length / tinyConfig.experts
    return Array.from({ length: tinyConfig.experts }, (_, expert) => ({
      ...tensor,
      name: `${stem}.${expert}.weight`,
      sizes: tensor.sizes.slice(0, 2),
      bytes: tensor.bytes.subarray(expert * size, (expert + 1) * size),
    }))
  })
  using a = await loadGguf(file(metadataOf(tinyConfig), apart))
  using b = await loadGguf(file(metadataOf(tinyConfig), tensors))
  expect(logits(a.decoder)).toEqual(logits(b.decoder))
})

test('the tokenizer reads and writes as the one that the file was made with', async () => {
  const path = file(metadataOf(tinyConfig), tensorsOf(tinyDecoder(), f32))
  await saveHuggingFace(tinyDecoder(), join(home, 'tokens'))
  const [ours, truth] = [await loadTokenizer(path), await loadTokenizer(join(home, 'tokens'))]
  const text = "naïve → 🧠 it's  12 345\n\n fine"
  expect(ours.encode(text)).toEqual(truth.encode(text))
  expect(ours.decode([...ours.encode(text), 256])).toBe(text)
  expect(ours.endOfText).toBe(256)
  const messages = [{ role: 'user', content: 'Who?' }]
  expect(ours.chat(messages)).toBe(truth.chat(messages))
})

test('merges are applied, and special tokens are found in text', async () => {
  const metadata = {
    ...metadataOf({ ...tinyConfig, vocabSize: 259 }),
    'tokenizer.ggml.tokens': [...(metadataOf(tinyConfig)['tokenizer.ggml.tokens'] as string[]), 'th', 'the'],
    'tokenizer.ggml.token_type': [...Array<number>(256).fill(1), 3, 1, 1],
    'tokenizer.ggml.merges': ['t h', 'th e'],
  }
  for (const pre of ['gpt-2', 'llama-bpe', 'qwen2', 'smollm', 'default']) {
    const path = file({ ...metadata, 'tokenizer.ggml.pre': pre }, [])
    const tokenizer = await loadTokenizer(path)
    expect([...tokenizer.encode('the then<|endoftext|>')], pre).toEqual([258, 32, 258, 110, 256])
  }
})

const good = metadataOf(tinyConfig)
const tensors = tensorsOf(tinyDecoder(), f32)
const without = (key: string): Record<string, Value> =>
  Object.fromEntries(Object.entries(good).filter(([name]) => name !== key))
const change = (name: string, fields: Partial<Tensor>): Tensor[] =>
  tensors.map((tensor) => (tensor.name === name ? { ...tensor, ...fields } : tensor))

test.each<[string, Record<string, Value>, readonly Tensor[], string]>([
  ['another architecture', { ...good, 'general.architecture': 'gemma' }, tensors, 'ERR_BIO_UNSUPPORTED'],
  ['scaled positions', { ...good, 'llama.rope.scaling.type': 'yarn' }, tensors, 'ERR_BIO_UNSUPPORTED'],
  ['a sliding window', { ...good, 'llama.attention.sliding_window': 4096 }, tensors, 'ERR_BIO_UNSUPPORTED'],
  ['no size', without('llama.embedding_length'), tensors, 'ERR_BIO_FORMAT'],
  ['a size of words', { ...good, 'llama.block_count': 'two' }, tensors, 'ERR_BIO_FORMAT'],
  ['more layers than tensors', { ...good, 'llama.block_count': 2 ** 30 }, tensors, 'ERR_BIO_FORMAT'],
  ['heads that do not divide', { ...good, 'llama.attention.head_count_kv': 3 }, tensors, 'ERR_BIO_CONFIG'],
  [
    'a tokenizer of another kind',
    { ...good, 'tokenizer.ggml.model': 'llama' },
    tensors,
    'ERR_BIO_UNSUPPORTED',
  ],
  ['an unknown cut of text', { ...good, 'tokenizer.ggml.pre': 'new' }, tensors, 'ERR_BIO_UNSUPPORTED'],
  ['no end of text', without('tokenizer.ggml.eos_token_id'), tensors, 'ERR_BIO_FORMAT'],
  [
    'an end of text past the vocabulary',
    { ...good, 'tokenizer.ggml.eos_token_id': 257 },
    tensors,
    'ERR_BIO_FORMAT',
  ],
  ['a missing tensor', good, tensors.slice(0, -2), 'ERR_BIO_FORMAT'],
  ['a tensor of another shape', good, change('output.weight', { sizes: [257, 32] }), 'ERR_BIO_FORMAT'],
  ['a tensor of a type that is not read', good, change('output.weight', { type: 13 }), 'ERR_BIO_UNSUPPORTED'],
  ['a tensor past the end', good, change('output.weight', { sizes: [32, 2 ** 20] }), 'ERR_BIO_FORMAT'],
  ['a tensor of no size', good, change('output.weight', { sizes: [0, 257] }), 'ERR_BIO_FORMAT'],
  ['columns in broken blocks', good, change('output.weight', { type: 12 }), 'ERR_BIO_FORMAT'],
  ['the same tensor twice', good, [...tensors, tensors[0]!], 'ERR_BIO_FORMAT'],
  [
    'a tensor without a place',
    good,
    [...tensors, { ...tensors[0]!, name: 'blk.0.attn_q.bias' }],
    'ERR_BIO_UNSUPPORTED',
  ],
  ['an odd alignment', { ...good, 'general.alignment': 33 }, tensors, 'ERR_BIO_FORMAT'],
  [
    'weights that are no numbers',
    good,
    change('output.weight', f32(new Float32Array(257 * 32).fill(NaN))),
    'ERR_BIO_VALUE',
  ],
])('%s is refused with its code', async (_, metadata, list, code) => {
  await expect(loadGguf(file(metadata, list))).rejects.toMatchObject({ code })
})

test('a file that is none, is cut, or is not there is refused with its code', async () => {
  const whole = writeGguf(good, tensors)
  const at = async (bytes: Uint8Array): Promise<unknown> => {
    const path = join(home, 'cut.gguf')
    writeFileSync(path, bytes)
    return loadGguf(path).then(
      () => 'loaded',
      (error: { code: string }) => error.code,
    )
  }
  for (const length of [0, 3, 4, 23, 100, 5000, whole.length - 40])
    expect(await at(whole.subarray(0, length)), `${length}`).toBe('ERR_BIO_FORMAT')
  expect(await at(new TextEncoder().encode('{"a": 1}'.repeat(9)))).toBe('ERR_BIO_FORMAT')
  await expect(loadGguf(join(home, 'nothing.gguf'))).rejects.toMatchObject({ code: 'ERR_BIO_IO' })
  await expect(loadGguf(home)).rejects.toMatchObject({ code: 'ERR_BIO_IO' })
})
