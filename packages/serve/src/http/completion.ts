import { TextStream, type Tokenizer } from '@bio/models'
import type { Generation } from '../engine/generation.js'
import type { GenerationResult } from '../engine/messages.js'
import { StopStrings } from './stop-strings.js'

/** A generation as text: pieces as they come, and what it was in the end. */
export interface Completion {
  readonly pieces: AsyncIterable<Piece>
  /** Settles after the last piece. */
  readonly end: () => Promise<CompletionEnd>
}

/** Text, and the tokens that it came from; a token in the middle of a character has no text yet. */
export interface Piece {
  readonly text: string
  readonly tokenIds: readonly number[]
}

export interface CompletionEnd extends GenerationResult {
  readonly completionTokens: number
}

/** Decodes tokens to text as they come, until the engine ends the generation or a stop string appears. */
export function completion(
  generation: Generation,
  tokenizer: Tokenizer,
  stops: readonly string[],
): Completion {
  const text = new TextStream(tokenizer)
  const stop = new StopStrings(stops)
  let completionTokens = 0
  async function* pieces(): AsyncGenerator<Piece> {
    for await (const token of generation) {
      completionTokens += 1
      yield { text: stop.push(text.push(token)), tokenIds: [token] }
      if (stop.found) return
    }
    const rest = stop.push(text.end()) + stop.end()
    if (rest !== '') yield { text: rest, tokenIds: [] }
  }
  return {
    pieces: pieces(),
    async end() {
      const result = await generation.result
      return { ...result, completionTokens, finishReason: stop.found ? 'stop' : result.finishReason }
    },
  }
}
