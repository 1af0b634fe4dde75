import { drawnDigits } from './drawn-digits.js'

export interface LoadResult {
  readonly answers: number
  /** Answers that name the digit drawn. */
  readonly right: number
  readonly seconds: number
}

/** `clients` at a time send `requests` drawn digits in all, each its next one after its last answer. */
export async function fireLoad(
  url: string,
  { requests, clients }: { requests: number; clients: number },
): Promise<LoadResult> {
  const start = performance.now()
  let sent = 0
  let answers = 0
  let right = 0
  const client = async (): Promise<void> => {
    while (sent < requests) {
      const digit = sent++ % drawnDigits.length
      const response = await ask(url, drawnDigits[digit]!)
      if (!response.ok) continue
      answers += 1
      const answer = (await response.json()) as { digit: number }
      if (answer.digit === digit) right += 1
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return { answers, right, seconds: (performance.now() - start) / 1000 }
}

export function ask(url: string, pixels: readonly number[], signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/digits`, { method: 'POST', body: JSON.stringify({ pixels }), signal: signal ?? null })
}
