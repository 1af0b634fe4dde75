import type { CompletionEnd } from './completion.js'

/** What an OpenAI client reads of the tokens; `cached_tokens` were found in the cache. */
export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

export function usage({ promptTokens, completionTokens, cachedTokens }: CompletionEnd): Usage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  }
}
