import { randomUUID } from 'node:crypto'
import type { Context } from 'hono'
import { BioError } from '@bio/errors'
import type { Completion, CompletionEnd, Piece } from './completion.js'
import { errorEvent } from './errors.js'
import { eventStream } from './event-stream.js'
import { usage } from './usage.js'

/** How one endpoint dresses the same completion. */
export interface Dress {
  readonly idPrefix: string
  readonly object: string
  readonly chunkObject: string
  /** The choice of a whole answer. */
  readonly whole: (text: string) => Record<string, unknown>
  /** The choice of a piece of a stream; '' with `first` opens it. */
  readonly piece: (text: string, first: boolean) => Record<string, unknown>
}

export const textDress: Dress = {
  idPrefix: 'cmpl',
  object: 'text_completion',
  chunkObject: 'text_completion',
  whole: (text) => ({ text, logprobs: null }),
  piece: (text) => ({ text, logprobs: null }),
}

export const chatDress: Dress = {
  idPrefix: 'chatcmpl',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  whole: (content) => ({ message: { role: 'assistant', content, refusal: null }, logprobs: null }),
  piece: (content, first) => ({
    delta: first ? { role: 'assistant', content } : content === '' ? {} : { content },
  }),
}

interface AnswerOptions {
  readonly dress: Dress
  readonly model: string
  readonly includeUsage: boolean
  /** Show the tokens beside the text, under vLLM's name `token_ids`. */
  readonly tokenIds: boolean
}

const head = ({ dress, model }: AnswerOptions, object: string): Record<string, unknown> => ({
  id: `${dress.idPrefix}-${randomUUID()}`,
  object,
  created: Math.floor(Date.now() / 1000),
  model,
})

/** The OpenAI name of why it ended. An abort that the client did not ask for is the server's: it is shutting down. */
function finishReason({ finishReason: reason }: CompletionEnd): 'stop' | 'length' {
  if (reason !== 'abort') return reason
  throw new BioError('ERR_BIO_DRAINING', {
    operation: 'generate',
    expected: 'time to finish the completion',
    received: 'a shutdown',
    hint: 'Send the request to another instance.',
  })
}

const tokens = ({ tokenIds }: AnswerOptions, ids: readonly number[]): { token_ids?: readonly number[] } =>
  tokenIds ? { token_ids: ids } : {}

/** The whole answer in one JSON document. */
export async function answerWhole(
  context: Context,
  completion: Completion,
  options: AnswerOptions,
): Promise<Response> {
  let text = ''
  const ids: number[] = []
  for await (const piece of completion.pieces) {
    text += piece.text
    ids.push(...piece.tokenIds)
  }
  const end = await completion.end()
  const choice = {
    index: 0,
    ...options.dress.whole(text),
    ...tokens(options, ids),
    finish_reason: finishReason(end),
  }
  return context.json({ ...head(options, options.dress.object), choices: [choice], usage: usage(end) })
}

/** Pieces as server-sent events, then the finish reason, the usage if asked for, and `[DONE]`. */
export function answerStream(completion: Completion, options: AnswerOptions, abort: () => void): Response {
  return eventStream(streamEvents(completion, options), abort)
}

async function* streamEvents(completion: Completion, options: AnswerOptions): AsyncGenerator<string> {
  const { dress, includeUsage } = options
  const shared = head(options, dress.chunkObject)
  const event = (choices: readonly Record<string, unknown>[], extra = {}): string =>
    JSON.stringify({ ...shared, choices, ...extra })
  const choice = (
    { text, tokenIds }: Piece,
    first: boolean,
    reason: string | null = null,
  ): Record<string, unknown> => ({
    index: 0,
    ...dress.piece(text, first),
    ...tokens(options, tokenIds),
    finish_reason: reason,
  })
  try {
    let first = true
    for await (const piece of completion.pieces) {
      if (piece.text === '' && !options.tokenIds) continue
      yield event([choice(piece, first)])
      first = false
    }
    const end = await completion.end()
    yield event([choice({ text: '', tokenIds: [] }, first, finishReason(end))])
    if (includeUsage) yield event([], { usage: usage(end) })
  } catch (error) {
    // The status is out already: the error travels as an event, and the stream ends after it.
    yield errorEvent(error)
  }
  yield '[DONE]'
}
