/** Text to token ids and back. */
export interface Tokenizer {
  readonly vocabSize: number
  /** The id that ends a text, and a generation. */
  readonly endOfText: number
  encode(text: string): Int32Array
  /** Ids outside the vocabulary are refused with ERR_BIO_INDEX; special tokens are left out. */
  decode(ids: ArrayLike<number>): string
  /** The text of a conversation, ready for the model to answer. Throws ERR_BIO_UNSUPPORTED without a chat template. */
  chat(messages: readonly ChatMessage[]): string
}

export interface ChatMessage {
  readonly role: string
  readonly content: string
}

/** Turns ids into text as they come: a character whose bytes are not all there yet waits for them. */
export class TextStream {
  readonly #tokenizer: Tokenizer
  readonly #ids: number[] = []
  /** The ids from `#context` on are decoded together, so that a token's text may depend on the one before it. */
  #context = 0
  #emitted = 0

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
  }

  /** The text that this id completes; '' while a character is unfinished. */
  push(id: number): string {
    this.#ids.push(id)
    const text = this.#pending()
    // U+FFFD at the end stands for bytes that the next ids may complete: hold them back.
    if (text === '' || text.endsWith('\uFFFD')) return ''
    this.#context = this.#emitted
    this.#emitted = this.#ids.length
    return text
  }

  /** What is left at the end of the generation. */
  end(): string {
    const text = this.#pending()
    this.#context = this.#emitted = this.#ids.length
    return text
  }

  #pending(): string {
    const before = this.#tokenizer.decode(this.#ids.slice(this.#context, this.#emitted))
    return this.#tokenizer.decode(this.#ids.slice(this.#context)).slice(before.length)
  }
}
