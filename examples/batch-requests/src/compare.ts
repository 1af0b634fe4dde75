import { Batcher } from '@bio/batching'
import { embed } from './embed.js'

export interface Comparison {
  readonly oneByOne: { readonly answers: number; readonly seconds: number }
  readonly batched: {
    readonly answers: number
    readonly refusals: number
    readonly batches: number
    readonly seconds: number
  }
}

/** Sends the same texts both ways. */
export async function compare(texts: readonly string[]): Promise<Comparison> {
  const start = performance.now()
  for (const text of texts) await embed([text])
  const middle = performance.now()
  await using batcher = new Batcher({ run: embed, maxBatchSize: 32 })
  const results = await Promise.allSettled(texts.map((text) => batcher.submit(text)))
  const end = performance.now()
  const answers = results.filter(({ status }) => status === 'fulfilled').length
  return {
    oneByOne: { answers: texts.length, seconds: (middle - start) / 1000 },
    batched: {
      answers,
      refusals: results.length - answers,
      batches: batcher.stats().batches,
      seconds: (end - middle) / 1000,
    },
  }
}
