import { setTimeout as sleep } from 'node:timers/promises'

export type Vector = readonly number[]

export type Embed = (
  texts: readonly string[],
  context?: { readonly signal?: AbortSignal },
) => Promise<Vector[]>

/** Embeds up to 32 texts in one call of the API; told to come back later, it does, for as long as somebody wants the answer. */
export function embedWith(url: string): Embed {
  return async (texts, { signal } = {}) => {
    const body = JSON.stringify({ input: texts })
    for (;;) {
      const response = await fetch(url, { method: 'POST', body, signal: signal ?? null })
      if (response.ok) return ((await response.json()) as { data: Vector[] }).data
      await response.body?.cancel()
      if (response.status !== 429) throw new Error(`the API answered ${response.status}`)
      await sleep(1000 * retryAfterSeconds(response), undefined, signal && { signal })
    }
  }
}

function retryAfterSeconds(response: Response): number {
  const seconds = Number(response.headers.get('Retry-After'))
  return seconds > 0 ? seconds : 1 // a date, or nothing: a second is polite
}
