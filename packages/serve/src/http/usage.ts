import type { Reading } from '@bio/energy'
import type { CompletionEnd } from './completion.js'

/** What an OpenAI client reads of the tokens; `cached_tokens` were found in the cache. `energy` is ours: null joules come with reasons. */
export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly energy: Pick<Reading, 'joules' | 'low' | 'high' | 'method' | 'reasons'>
}

export function usage({ promptTokens, completionTokens, cachedTokens, energy }: CompletionEnd): Usage {
  const { joules, low, high, method, reasons } = energy
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    energy: { joules, low, high, method, reasons },
  }
}
