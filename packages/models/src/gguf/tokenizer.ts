import { makeTokenizer } from '../tokenizer/load.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { refuseGguf, refuseUnsupported } from './file.js'
import type { Header, Value } from './header.js'

/** How a text is cut before its pieces are merged, by `tokenizer.ggml.pre`: the patterns that the models were trained with. */
const cuts: Readonly<Record<string, string | undefined>> = {
  'llama-bpe':
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen2:
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  smollm: '\\p{N}',
  'gpt-2': undefined,
  default: undefined,
}

/** ggml's kinds of tokens that are never merged from text. */
const special = 3
const userDefined = 4

/**
 * The byte-level BPE tokenizer (`tokenizer.ggml.model` gpt2) of a GGUF file. Throws ERR_BIO_UNSUPPORTED for another kind, ERR_BIO_FORMAT
 * where its parts do not fit together.
 */
export function ggufTokenizer({ metadata }: Header, path: string): Tokenizer {
  const model = metadata.get('tokenizer.ggml.model')
  if (model !== 'gpt2')
    refuseUnsupported(
      path,
      'tokenizer.ggml.model gpt2 (byte-level BPE)',
      JSON.stringify(model) ?? 'no tokenizer',
    )
  const pre = metadata.get('tokenizer.ggml.pre') ?? 'default'
  if (typeof pre !== 'string' || !Object.hasOwn(cuts, pre))
    refuseUnsupported(path, `tokenizer.ggml.pre, one of ${Object.keys(cuts).join(', ')}`, JSON.stringify(pre))
  const strings = (key: string, fallback?: readonly string[]): readonly string[] => {
    const value: Value | undefined = metadata.get(key) ?? fallback
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value as string[]
    return refuseGguf(path, `${key}, an array of strings`, value === undefined ? 'nothing' : 'something else')
  }
  const tokens = strings('tokenizer.ggml.tokens')
  if (new Set(tokens).size !== tokens.length)
    refuseGguf(path, 'each token once in tokenizer.ggml.tokens', 'one twice')
  const kinds = metadata.get('tokenizer.ggml.token_type') ?? []
  if (!Array.isArray(kinds) || (kinds.length !== 0 && kinds.length !== tokens.length))
    refuseGguf(path, `tokenizer.ggml.token_type of ${tokens.length} numbers`, 'something else')
  const id = (key: string): number | undefined => {
    const value = metadata.get(key)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < tokens.length)
      return value
    return refuseGguf(path, `${key} below ${tokens.length}`, JSON.stringify(value))
  }
  const [end, start] = [id('tokenizer.ggml.eos_token_id'), id('tokenizer.ggml.bos_token_id')]
  if (end === undefined) return refuseGguf(path, 'tokenizer.ggml.eos_token_id', 'nothing')
  const added = tokens.flatMap((content, index) => {
    const kind = (kinds as readonly Value[])[index]
    return kind === special || kind === userDefined || index === end
      ? [{ id: index, content, special: kind !== userDefined, ...plain }]
      : []
  })
  const template = metadata.get('tokenizer.chat_template')
  return makeTokenizer({
    where: path,
    json: {
      version: '1.0',
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: preTokenizer(pre),
      post_processor: null,
      decoder: byteLevel(false),
      model: {
        type: 'BPE',
        vocab: Object.fromEntries(tokens.map((token, index) => [token, index])),
        merges: strings('tokenizer.ggml.merges', []),
        ignore_merges: pre === 'llama-bpe',
        byte_fallback: false,
        fuse_unk: false,
      },
    },
    config: { eos_token: tokens[end], ...(start === undefined ? {} : { bos_token: tokens[start] }) },
    template: typeof template === 'string' ? template : undefined,
  })
}

const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false }

const byteLevel = (useRegex: boolean): object => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
})

function preTokenizer(pre: string): object {
  const pattern = cuts[pre]
  // smollm cuts digits apart, and then as GPT-2 does.
  if (pattern === undefined) return byteLevel(true)
  const split = { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }
  return { type: 'Sequence', pretokenizers: [split, byteLevel(pre === 'smollm')] }
}
