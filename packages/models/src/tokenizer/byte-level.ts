import { BioError } from '@bio/errors'
import type { ChatMessage, Tokenizer } from './tokenizer.js'

/** The id of `<|endoftext|>`; ids 0 to 255 are the bytes themselves. */
const END_OF_TEXT = 256
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** One line per message, then the assistant's turn; the same text that `CHAT_TEMPLATE` renders. */
export const CHAT_TEMPLATE: string =
  "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"

/**
 * The tokenizer of byte-level models: a token is a byte of UTF-8, 256 ends the text. No vocabulary to learn, no unknown word.
 *
 * @example
 * ```ts
 * import { byteTokenizer } from '@bio/models'
 *
 * const tokenizer = byteTokenizer()
 * console.log(Array.from(tokenizer.encode('é!')).join(' ')) // => 195 169 33
 * console.log(tokenizer.decode([195, 169, 33, 256])) // => é!
 * ```
 */
export function byteTokenizer(): Tokenizer {
  return {
    vocabSize: 257,
    endOfText: END_OF_TEXT,
    encode: (text) => Int32Array.from(encoder.encode(text)),
    decode(ids) {
      const bytes = new Uint8Array(ids.length)
      let length = 0
      for (let i = 0; i < ids.length; i++) {
        const id = ids[i]!
        if (!(Number.isInteger(id) && id >= 0 && id <= END_OF_TEXT)) {
          throw new BioError('ERR_BIO_INDEX', {
            operation: 'decode',
            expected: 'ids from 0 to 256',
            received: `${id} at ${i}`,
          })
        }
        if (id !== END_OF_TEXT) bytes[length++] = id
      }
      return decoder.decode(bytes.subarray(0, length))
    },
    chat: (messages: readonly ChatMessage[]) =>
      `${messages.map(({ role, content }) => `${role}: ${content}\n`).join('')}assistant:`,
  }
}

/** The printable characters that stand for the 256 bytes in a byte-level vocabulary (GPT-2's table). */
export function byteCharacters(): string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : next++))
}

/** `tokenizer.json` of the byte-level tokenizer: byte-level BPE without a merge, so that other libraries read the same ids. */
export function byteTokenizerJson(): Record<string, unknown> {
  const content = '<|endoftext|>'
  const special = {
    id: END_OF_TEXT,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [special],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries([
        ...byteCharacters().map((character, byte) => [character, byte]),
        [content, END_OF_TEXT],
      ]),
      merges: [],
    },
  }
}

export function byteTokenizerConfig(): Record<string, unknown> {
  const content = '<|endoftext|>'
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: content,
    eos_token: content,
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  }
}
