import { saveHuggingFace, type Decoder } from '@bio/models'
import { serve, type EngineOptions } from '@bio/serve'
import { Progress } from '../terminal/progress.js'
import { digits } from '../terminal/format.js'
import type { ServeFigures, ServeReport } from './report.js'
import { ask, sharedPrompts, type ClientResult } from './serve-clients.js'
import type { TourSettings } from './settings.js'
import type { TourText } from './text.js'

const blockTokens = 16

/** One way to serve: how the engine is set. The clients always come all at once. */
interface Way {
  readonly name: 'baseline' | 'batched' | 'optimized'
  readonly label: string
  readonly engine: Omit<EngineOptions, 'folder'>
}

const baseline: Way = {
  name: 'baseline',
  label: 'one at a time',
  engine: { weights: 'f32', maxSequences: 1, sharePrefixes: false },
}
const batched: Way = { name: 'batched', label: 'batched, f32', engine: { weights: 'f32' } }
const optimized: Way = { name: 'optimized', label: 'batched, int4', engine: { weights: 'int4' } }

interface WayResult {
  readonly clients: readonly ClientResult[]
  readonly seconds: number
  readonly weightBytes: number
}

/**
 * Serves the same prompts three ways over HTTP, all clients at once: one request after the other in f32 without a cache, batched in f32 with
 * shared prefixes, batched in int4. The model goes through its Hugging Face folder, as anybody's would.
 */
export async function serveStep(
  decoder: Decoder,
  text: TourText,
  settings: TourSettings,
  {
    folder,
    signal,
    measure,
  }: {
    folder: string
    signal: AbortSignal
    measure: (
      way: 'baseline' | 'batched' | 'optimized',
      run: () => Promise<readonly ClientResult[]>,
    ) => Promise<readonly ClientResult[]>
  },
): Promise<ServeReport> {
  await saveHuggingFace(decoder, folder)
  const { clients, maxTokens } = settings.serve
  const { prompts, uniqueTokens } = sharedPrompts(text, settings.serve)
  const run = async (way: Way): Promise<WayResult> => {
    await using server = await serve({ folder, port: 0, modelName: 'tour', blockTokens, ...way.engine })
    const progress = new Progress(way.label, { total: clients })
    const question = (prompt: string): Promise<ClientResult> =>
      ask(server.url, { model: 'tour', prompt, maxTokens }, signal)
    // Compiles the code paths and faults the memory in, on prompts that share nothing with the measured ones.
    const warmUp = prompts.map((_, client) => `warm up ${client}`)
    await Promise.all(warmUp.map((prompt) => ask(server.url, { model: 'tour', prompt, maxTokens }, signal)))
    let done = 0
    const counted = async (prompt: string): Promise<ClientResult> => {
      const result = await question(prompt)
      progress.update(
        ++done,
        `${result.completionTokens} tokens, the first after ${digits(result.ttftMs)} ms`,
      )
      return result
    }
    const start = performance.now()
    const results = await measure(way.name, () => Promise.all(prompts.map(counted)))
    const seconds = (performance.now() - start) / 1000
    progress.end(`${digits(sum(results, ({ completionTokens }) => completionTokens) / seconds)} tokens/s`)
    return { clients: results, seconds, weightBytes: server.engine.model.weightBytes }
  }
  const first = await run(baseline)
  const second = await run(batched)
  const third = await run(optimized)
  return {
    clients,
    baseline: figures(first),
    batched: figures(second),
    optimized: figures(third),
    promptTokens: sum(third.clients, ({ promptTokens }) => promptTokens),
    uniquePromptTokens: uniqueTokens,
    prefilledTokens: prefilled(third),
    prefilledTokensBatched: prefilled(second),
    blockTokens,
    identicalTokens: first.clients.every(
      ({ tokens }, client) => tokens.join() === second.clients[client]!.tokens.join(),
    ),
    weightBytes: { baseline: first.weightBytes, optimized: third.weightBytes },
    ttftMs: { baseline: times(first), batched: times(second), optimized: times(third) },
  }
}

const sum = (clients: readonly ClientResult[], value: (client: ClientResult) => number): number =>
  clients.reduce((total, client) => total + value(client), 0)

const prefilled = ({ clients }: WayResult): number =>
  sum(clients, ({ promptTokens, cachedTokens }) => promptTokens - cachedTokens)

const times = ({ clients }: WayResult): number[] =>
  clients.map(({ ttftMs }) => ttftMs).toSorted((a, b) => a - b)

function figures(result: WayResult): ServeFigures {
  const ttft = times(result)
  const quantile = (share: number): number =>
    ttft[Math.min(ttft.length - 1, Math.ceil(share * ttft.length) - 1)]!
  return {
    tokensPerSecond: sum(result.clients, ({ completionTokens }) => completionTokens) / result.seconds,
    ttftMsP50: quantile(0.5),
    ttftMsP95: quantile(0.95),
  }
}
