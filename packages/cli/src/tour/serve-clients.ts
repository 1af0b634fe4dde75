import type { TourText } from './text.js'

/** What one client asked and what came back, with the times that it saw. */
export interface ClientResult {
  readonly tokens: readonly number[]
  readonly completionTokens: number
  readonly promptTokens: number
  readonly cachedTokens: number
  /** From sending to the event with the first token. */
  readonly ttftMs: number
}

/** Prompts that share a long beginning and end in a question of their own. */
export function sharedPrompts(
  text: TourText,
  {
    clients,
    systemPromptBytes,
    questionBytes,
  }: { clients: number; systemPromptBytes: number; questionBytes: number },
): { prompts: string[]; uniqueTokens: number } {
  // Only ASCII, so that a cut never falls inside a character: bytes, tokens and characters are then one count.
  const ascii = new TextDecoder().decode(text.test.filter((byte) => byte < 128))
  const system = ascii.slice(0, systemPromptBytes)
  const prompts = Array.from({ length: clients }, (_, client) => {
    const from = systemPromptBytes + client * questionBytes * 3
    return system + ascii.slice(from, from + questionBytes)
  })
  return { prompts, uniqueTokens: systemPromptBytes + clients * questionBytes }
}

interface CompletionEvent {
  readonly choices: readonly { readonly token_ids?: readonly number[] }[]
  readonly usage?: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
}

/** One streaming request to `/v1/completions`, greedy, over HTTP like any client's. */
export async function ask(
  url: string,
  { model, prompt, maxTokens }: { model: string; prompt: string; maxTokens: number },
  signal: AbortSignal,
): Promise<ClientResult> {
  const start = performance.now()
  const body = {
    model,
    prompt,
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    return_token_ids: true,
  }
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  if (!response.ok || response.body === null)
    throw new Error(`the server answered ${response.status}: ${await response.text()}`)
  let ttftMs = 0
  const tokens: number[] = []
  let usage: CompletionEvent['usage']
  for await (const data of events(response.body)) {
    if (data === '[DONE]') break
    const event = JSON.parse(data) as CompletionEvent | { readonly error: { readonly message: string } }
    if ('error' in event) throw new Error(`the server said: ${event.error.message}`)
    const fresh = event.choices[0]?.token_ids ?? []
    if (fresh.length > 0 && tokens.length === 0) ttftMs = performance.now() - start
    tokens.push(...fresh)
    usage ??= event.usage
  }
  if (usage === undefined) throw new Error('the stream ended without its usage')
  if (usage.completion_tokens !== tokens.length) {
    throw new Error(`the stream showed ${tokens.length} tokens of ${usage.completion_tokens}`)
  }
  return {
    tokens,
    ttftMs,
    completionTokens: usage.completion_tokens,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
  }
}

/** The data of server-sent events. */
async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let pending = ''
  for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) {
    pending += decoder.decode(chunk, { stream: true })
    const parts = pending.split('\n\n')
    pending = parts.pop()!
    for (const part of parts) if (part.startsWith('data: ')) yield part.slice('data: '.length)
  }
}
