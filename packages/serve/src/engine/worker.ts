import { parentPort, workerData } from 'node:worker_threads'
import { StepScheduler, type Generation, type StepItem } from '@bio/batching'
import { defaultSources, EnergyMeter, RequestEnergy } from '@bio/energy'
import { getKernels } from '@bio/kernels'
import { PagedKvCache, type Sequence } from '@bio/kv-cache'
import { DecoderEngine, loadPacked, type Sampling } from '@bio/models'
import type { EngineOptions, FromWorker, GenerationRequest, ModelInfo, ToWorker } from './messages.js'
import { toPlain } from './plain-error.js'

/** The engine's thread: the model, its cache and the scheduler live here, and nothing else. */
const port = parentPort!
let outbox: FromWorker[] = []
/** Sends the message with all the others of this step: one wake-up of the other thread, not one per token. */
const post = (message: FromWorker): void => {
  // Runs when every promise that the step settled has been followed.
  if (outbox.length === 0) process.nextTick(flush)
  outbox.push(message)
}
const flush = (): void => {
  port.postMessage(outbox)
  outbox = []
}
const options = workerData as EngineOptions

interface Loaded {
  readonly info: ModelInfo
  readonly cache: PagedKvCache
  readonly scheduler: StepScheduler<Sequence, Sampling>
  readonly meter: EnergyMeter
  /** By the request's own sampling object, which every step shows again. */
  readonly energy: RequestEnergy<StepItem<Sequence, Sampling>, Sampling>
}

async function load(): Promise<Loaded> {
  const {
    folder,
    weights,
    cacheBytes = 2 ** 28,
    kvDtype: dtype = 'f32',
    blockTokens = 16,
    maxSequences = 32,
    maxTokensPerStep = 256,
  } = options
  if (options.threads !== undefined) getKernels().setThreads(options.threads)
  const { decoder, parameters, weightBytes } = await loadPacked(folder, { weights })
  const { layers, kvHeads, headDim, vocabSize, maxPositions } = decoder.config
  const cache = new PagedKvCache({ layers, kvHeads, headDim, blockTokens, bytes: cacheBytes, dtype })
  const engine = new DecoderEngine(decoder, cache)
  // An estimate is of this process: a server shares its machine, and its clock is fine enough for single steps.
  const meter = await EnergyMeter.open({ sources: defaultSources({ scope: 'process' }) })
  const energy: Loaded['energy'] = new RequestEnergy({
    meter,
    key: ({ sampling }) => sampling,
    cost: ({ tokens }) => tokens.length,
  })
  const scheduler = new StepScheduler<Sequence, Sampling>({
    engine: { step: energy.wrap((items) => engine.step(items)) },
    cache,
    maxSequences,
    maxTokensPerStep: Math.max(maxSequences, maxTokensPerStep),
    maxQueue: options.maxQueue ?? 256,
  })
  const info = { vocabSize, maxPositions, parameters, weightBytes }
  return { info, cache, scheduler, meter, energy }
}

function attend({ cache, scheduler, meter, energy }: Loaded): void {
  const controllers = new Map<number, AbortController>()

  const submit = (id: number, request: GenerationRequest): void => {
    const controller = new AbortController()
    // A scope of its own shares with nobody.
    const scope = options.sharePrefixes === false ? `request ${id}` : request.scope
    const { tenant = request.scope } = request
    let generation: Generation
    try {
      generation = scheduler.submit({ ...request, scope, tenant, signal: controller.signal })
    } catch (error) {
      return post({ type: 'refused', id, error: toPlain(error) })
    }
    controllers.set(id, controller)
    post({ type: 'accepted', id })
    void follow(id, generation, request.sampling).finally(() => controllers.delete(id))
  }

  const follow = async (id: number, generation: Generation, sampling: Sampling): Promise<void> => {
    try {
      for await (const token of generation) post({ type: 'token', id, token })
      const { tokens: _, ...result } = await generation.result
      post({ type: 'done', id, result: { ...result, energy: energy.take(sampling) } })
    } catch (error) {
      energy.take(sampling)
      post({ type: 'refused', id, error: toPlain(error) })
    }
  }

  port.on('message', (message: ToWorker) => {
    switch (message.type) {
      case 'submit':
        return submit(message.id, message.request)
      case 'abort':
        return controllers.get(message.id)?.abort()
      case 'stats':
        return post({
          type: 'stats',
          id: message.id,
          stats: { scheduler: scheduler.stats(), cache: cache.stats() },
        })
      case 'drain':
        void scheduler
          .drain({ timeoutMs: message.timeoutMs })
          .finally(() => meter.close())
          .finally(() => setImmediate(() => post({ type: 'drained' })))
    }
  })
}

try {
  const loaded = await load()
  attend(loaded)
  post({ type: 'ready', model: loaded.info })
} catch (error) {
  post({ type: 'failed', error: toPlain(error) })
}
