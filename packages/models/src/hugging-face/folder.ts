import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BioError } from '@bio/errors'
import { readSafetensors, Rng, writeSafetensors, type Tensor } from '@bio/tensor'
import { Decoder } from '../decoder/decoder.js'
import { byteTokenizer, byteTokenizerConfig, byteTokenizerJson } from '../tokenizer/byte-level.js'
import { loadTokenizer } from '../tokenizer/load.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { fromHuggingFaceConfig, toHuggingFaceConfig } from './config.js'
import { readJson } from './json.js'
import { fromMixtral, toMixtral } from './weights.js'

/** A decoder with the tokenizer that it was trained on. */
export interface LanguageModel {
  readonly decoder: Decoder
  readonly tokenizer: Tokenizer
}

/**
 * Writes a byte-level decoder as a Hugging Face folder in Mixtral's format: `config.json`, `generation_config.json`,
 * `model.safetensors` (f32), `tokenizer.json`, `tokenizer_config.json`. `transformers` loads it and finds the same logits.
 * Throws ERR_BIO_CONFIG where the vocabulary isn't the byte-level one.
 */
export async function saveHuggingFace(decoder: Decoder, folder: string): Promise<void> {
  const { endOfText, vocabSize } = byteTokenizer()
  if (decoder.config.vocabSize !== vocabSize) {
    throw new BioError('ERR_BIO_CONFIG', {
      operation: 'saveHuggingFace',
      expected: `a byte-level decoder, vocabSize ${vocabSize}`,
      received: `${decoder.config.vocabSize}`,
    })
  }
  await mkdir(folder, { recursive: true })
  const json = (name: string, value: unknown): Promise<void> =>
    writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`)
  await writeSafetensors(join(folder, 'model.safetensors'), toMixtral(decoder.stateDict(), decoder.config), {
    metadata: { format: 'pt' },
  })
  await json('config.json', toHuggingFaceConfig(decoder.config, endOfText))
  await json('generation_config.json', { bos_token_id: endOfText, eos_token_id: endOfText })
  await json('tokenizer.json', byteTokenizerJson())
  await json('tokenizer_config.json', byteTokenizerConfig())
}

/**
 * Reads a Hugging Face folder in Mixtral's format, weights in one file or in shards, widened to f32. Throws ERR_BIO_IO,
 * ERR_BIO_FORMAT, ERR_BIO_CONFIG or ERR_BIO_UNSUPPORTED, naming the file.
 */
export async function loadHuggingFace(folder: string): Promise<LanguageModel> {
  const path = join(folder, 'config.json')
  const config = fromHuggingFaceConfig(await readJson(path), path)
  const tokenizer = await loadTokenizer(folder)
  const tensors: Record<string, Tensor> = {}
  for (const file of await weightFiles(folder)) {
    Object.assign(tensors, (await readSafetensors(file, { dtype: 'f32' })).tensors)
  }
  const decoder = new Decoder(config, { rng: new Rng(0) })
  decoder.loadStateDict(fromMixtral(tensors, config))
  decoder.eval()
  return { decoder, tokenizer }
}

async function weightFiles(folder: string): Promise<string[]> {
  const files = (await readdir(folder))
    .filter((name) => /^model(-\d+-of-\d+)?\.safetensors$/.test(name))
    .toSorted()
  if (files.length > 0) return files.map((name) => join(folder, name))
  throw new BioError('ERR_BIO_IO', {
    operation: 'loadHuggingFace',
    expected: `model.safetensors in ${folder}`,
    received: 'none',
    hint: 'Only safetensors weights are read; convert pickled ones with transformers first.',
  })
}
