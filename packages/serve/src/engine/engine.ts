import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { BioError } from '@bio/errors'
import { Generation } from './generation.js'
import type {
  EngineOptions,
  EngineStats,
  FromWorker,
  GenerationRequest,
  ModelInfo,
  ToWorker,
} from './messages.js'
import { fromPlain } from './plain-error.js'

interface StatsRequest {
  readonly resolve: (stats: EngineStats) => void
  readonly reject: (error: unknown) => void
}

/**
 * A model in a worker thread: no kernel ever blocks the event loop of the thread that asks. Requests share batches and prefixes.
 */
export class Engine implements AsyncDisposable {
  readonly model: ModelInfo
  readonly #worker: Worker
  readonly #generations = new Map<number, Generation>()
  readonly #statsRequests = new Map<number, StatsRequest>()
  readonly #exited: Promise<void>
  #nextId = 0
  #draining = false
  #failure: BioError | undefined

  private constructor(worker: Worker, model: ModelInfo) {
    this.#worker = worker
    this.model = model
    worker.on('message', (messages: readonly FromWorker[]) => {
      for (const message of messages) this.#receive(message)
    })
    worker.on('error', (cause) => this.#fail(cause))
    this.#exited = new Promise((resolve) => {
      worker.once('exit', (status) => {
        this.#fail(new Error(`exit status ${status}`))
        resolve()
      })
    })
  }

  /**
   * Loads the folder in a new worker. Throws what loading throws (ERR_BIO_IO, ERR_BIO_FORMAT, ERR_BIO_CONFIG, ERR_BIO_UNSUPPORTED),
   * ERR_BIO_ENGINE if the worker dies, and the signal's reason if it aborts first.
   */
  static async open(options: EngineOptions, { signal }: { signal?: AbortSignal } = {}): Promise<Engine> {
    signal?.throwIfAborted()
    const file = createRequire(import.meta.url).resolve('@bio/serve/engine-worker')
    // Flags of this process (loaders, conditions) are for its sources, not for the built worker.
    const worker = new Worker(file, { workerData: options, execArgv: [] })
    const abort = (): void => void worker.terminate()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const model = await firstMessage(worker)
      return new Engine(worker, model)
    } catch (error) {
      await worker.terminate()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** False once draining has begun or the worker has died. */
  get accepting(): boolean {
    return !this.#draining && this.#failure === undefined
  }

  /** Sends a request to the worker. `Generation.accepted` rejects with ERR_BIO_QUEUE_FULL when too many wait. */
  generate(request: GenerationRequest, { signal }: { signal?: AbortSignal } = {}): Generation {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#draining) {
      throw new BioError('ERR_BIO_DRAINING', {
        operation: 'generate',
        expected: 'an engine that takes requests',
        received: 'one that is draining',
        hint: 'Send the request to another instance.',
      })
    }
    const id = this.#nextId++
    const generation = new Generation({
      abort: () => this.#send({ type: 'abort', id }),
      settled: () => this.#generations.delete(id),
    })
    this.#generations.set(id, generation)
    this.#send({ type: 'submit', id, request })
    generation.follow(signal)
    return generation
  }

  stats(): Promise<EngineStats> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#statsRequests.set(id, { resolve, reject })
      this.#send({ type: 'stats', id })
    })
  }

  /** Takes no more requests, lets the accepted ones finish for `timeoutMs`, aborts the rest, and ends the worker. */
  async drain({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<void> {
    if (!this.#draining && this.#failure === undefined) this.#send({ type: 'drain', timeoutMs })
    this.#draining = true
    await this.#exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain({ timeoutMs: 0 })
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'accepted':
        return this.#generations.get(message.id)?.accept()
      case 'token':
        return this.#generations.get(message.id)?.push(message.token)
      case 'done':
        return this.#generations.get(message.id)?.finish(message.result)
      case 'refused':
        return this.#generations.get(message.id)?.fail(fromPlain(message.error))
      case 'stats':
        this.#statsRequests.get(message.id)?.resolve(message.stats)
        this.#statsRequests.delete(message.id)
        return
      case 'drained':
        void this.#worker.terminate()
    }
  }

  /** The worker is gone: everything that waited for it learns so. */
  #fail(cause: Error): void {
    this.#failure ??= new BioError('ERR_BIO_ENGINE', {
      operation: 'engine',
      expected: 'a living worker',
      received: this.#draining ? 'one that was closed' : `one that died: ${cause.message}`,
      ...(this.#draining ? {} : { hint: 'Restart the engine; the requests that it ran are lost.' }),
      cause,
    })
    for (const generation of this.#generations.values()) generation.fail(this.#failure)
    for (const { reject } of this.#statsRequests.values()) reject(this.#failure)
    this.#statsRequests.clear()
  }
}

function firstMessage(worker: Worker): Promise<ModelInfo> {
  return new Promise((resolve, reject) => {
    const died = (received: string, cause?: unknown): void => {
      settle()
      reject(
        new BioError('ERR_BIO_ENGINE', {
          operation: 'Engine.open',
          expected: 'a worker that loads the model',
          received,
          cause,
        }),
      )
    }
    const onMessage = ([message]: readonly FromWorker[]): void => {
      settle()
      if (message?.type === 'ready') resolve(message.model)
      else if (message?.type === 'failed') reject(fromPlain(message.error))
    }
    const onError = (error: Error): void => died(error.message, error)
    const onExit = (status: number): void => died(`exit status ${status}`)
    // One by one: removeAllListeners would take the worker's own with them.
    const settle = (): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit)
    }
    worker.on('message', onMessage).on('error', onError).on('exit', onExit)
  })
}
