import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BioError } from '@bio/errors'
import { Template } from '@huggingface/jinja'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { GgufFile } from '../gguf/file.js'
import { readHeader } from '../gguf/header.js'
import { ggufTokenizer } from '../gguf/tokenizer.js'
import { readJson } from '../hugging-face/json.js'
import type { ChatMessage, Tokenizer } from './tokenizer.js'

/** Reads `tokenizer.json` and `tokenizer_config.json` of a Hugging Face folder, or the tokenizer of a GGUF file. */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  if (folder.endsWith('.gguf')) {
    using file = new GgufFile(folder)
    return ggufTokenizer(readHeader(file), folder)
  }
  const json = (await readJson(join(folder, 'tokenizer.json'))) as object
  const config = (await readJson(join(folder, 'tokenizer_config.json'))) as Record<string, unknown> | null
  const template =
    typeof config?.['chat_template'] === 'string'
      ? config['chat_template']
      : await readTemplate(join(folder, 'chat_template.jinja'))
  return makeTokenizer({ json, config: config ?? {}, template, where: folder })
}

/** A tokenizer from the contents of `tokenizer.json`, `tokenizer_config.json` and the chat template; `where` they came from. */
export function makeTokenizer({
  json,
  config,
  template: source,
  where,
}: {
  readonly json: object
  readonly config: Readonly<Record<string, unknown>>
  readonly template: string | undefined
  readonly where: string
}): Tokenizer {
  const inner = understood(`a tokenizer in ${where}`, () => {
    checkIds(json as TokenizerJson)
    const tokenizer = new HuggingFaceTokenizer(json, config)
    // Some parts are looked at only when they are used.
    const { ids } = tokenizer.encode('a b', { add_special_tokens: false })
    if (ids.length > 0) tokenizer.decode(ids)
    return tokenizer
  })
  const name = tokenName(config['eos_token'])
  const endOfText = name === undefined ? undefined : inner.token_to_id(name)
  if (endOfText === undefined) {
    throw new BioError('ERR_BIO_FORMAT', {
      operation: 'loadTokenizer',
      expected: `an eos_token of the vocabulary in ${where}`,
      received: JSON.stringify(config['eos_token']) ?? 'nothing',
    })
  }
  const vocabSize = inner.get_vocab(true).size
  const template =
    source === undefined ? undefined : understood(`a chat template in ${where}`, () => new Template(source))
  return {
    vocabSize,
    endOfText,
    encode: (text) => Int32Array.from(inner.encode(text, { add_special_tokens: false }).ids),
    decode(ids) {
      if (ids.length === 0) return '' // the library refuses it
      for (let i = 0; i < ids.length; i++) {
        if (Number.isInteger(ids[i]) && ids[i]! >= 0 && ids[i]! < vocabSize) continue
        throw new BioError('ERR_BIO_INDEX', {
          operation: 'decode',
          expected: `ids from 0 to ${vocabSize - 1}`,
          received: `${ids[i]} at ${i}`,
        })
      }
      return inner.decode(Array.from(ids), { skip_special_tokens: true, clean_up_tokenization_spaces: false })
    },
    chat(messages: readonly ChatMessage[]) {
      if (template === undefined) {
        throw new BioError('ERR_BIO_UNSUPPORTED', {
          operation: 'chat',
          expected: `a chat_template in ${where}`,
          received: 'none',
          hint: 'Ask for a plain completion instead.',
        })
      }
      const tokens = { bos_token: tokenName(config['bos_token']) ?? '', eos_token: name }
      return template.render({ messages, add_generation_prompt: true, ...tokens })
    },
  }
}

interface TokenizerJson {
  readonly model: { readonly vocab: Readonly<Record<string, unknown>> }
  readonly added_tokens: readonly { readonly id: unknown }[]
}

/** The library takes whatever stands for an id, and fills an array up to the largest: one of 10⁹ would take minutes. A list (Unigram's) numbers its tokens itself. */
function checkIds({ model, added_tokens: added }: TokenizerJson): void {
  const ids = [
    ...(Array.isArray(model.vocab) ? [] : Object.values(model.vocab)),
    ...added.map(({ id }) => id),
  ]
  const isId = (id: unknown): boolean =>
    Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 22
  const wrong = ids.findIndex((id) => !isId(id))
  if (wrong >= 0) throw new RangeError(`a token has the id ${JSON.stringify(ids[wrong])}`)
}

/** What the libraries throw at contents that they don't expect has no code. */
function understood<T>(expected: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new BioError('ERR_BIO_FORMAT', {
      operation: 'loadTokenizer',
      expected,
      received: (cause as Error).message,
      cause,
    })
  }
}

function tokenName(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  return (token as { content?: string } | null | undefined)?.content
}

async function readTemplate(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
