import type { RunContext } from '../runner/runner.js'
import { ModuleWorker, type ModuleWorkerOptions, type WorkerLoss } from './module-worker.js'
import { closedError } from './worker-errors.js'

const firstBackoffMs = 100
const longestBackoffMs = 30_000

/**
 * One place in a pool: a worker, and its successor when it ends.
 *
 * A worker that is lost with runs is replaced at once: there is one such loss for each run at most. One that is lost idle is replaced
 * when a run needs it. A start that fails is remembered for 100 ms, twice as long each further time up to 30 s, and tells the runs
 * meanwhile: so nothing can make the pool spawn without end.
 */
export class WorkerSlot {
  readonly #options: ModuleWorkerOptions
  #worker: ModuleWorker | undefined
  #failure: { readonly error: unknown; readonly backoffMs: number; readonly until: number } | undefined
  #closed = false

  constructor(options: ModuleWorkerOptions) {
    this.#options = options
  }

  get held(): number {
    return this.#worker?.held ?? 0
  }

  /** What a run sent here waits for: 0 for nothing, 1 the rest of a start, 2 a start; 3 it only hears that the last one failed. */
  get delay(): 0 | 1 | 2 | 3 {
    if (this.#worker !== undefined) return this.#worker.state === 'ready' ? 0 : 1
    return this.#recentFailure() === undefined ? 2 : 3
  }

  /** Throws ERR_BIO_WORKER_START where a start fails at once or did a moment ago, ERR_BIO_CONFIG where `data` cannot be cloned. */
  start(): ModuleWorker {
    const failure = this.#recentFailure()
    if (failure !== undefined) throw failure.error
    try {
      const worker = new ModuleWorker(this.#options, (loss) => this.#onLoss(loss))
      worker.ready.then(
        () => (this.#failure = undefined),
        () => {}, // #onLoss knows
      )
      this.#worker = worker
      return worker
    } catch (error) {
      this.#remember(error)
      throw error
    }
  }

  async run(inputs: readonly unknown[], context: RunContext): Promise<unknown> {
    if (this.#closed) throw closedError()
    const worker = this.#worker ?? this.start()
    return worker.run(inputs, context)
  }

  /** Resolves when the worker is gone. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    worker?.end(closedError())
    await worker?.gone
  }

  #onLoss({ error, loaded, held }: WorkerLoss): void {
    this.#worker = undefined
    if (this.#closed) return
    if (!loaded) return this.#remember(error)
    if (held === 0) return
    try {
      this.start()
    } catch {
      // remembered: the next run hears it
    }
  }

  #remember(error: unknown): void {
    const backoffMs = Math.min(longestBackoffMs, 2 * (this.#failure?.backoffMs ?? firstBackoffMs / 2))
    this.#failure = { error, backoffMs, until: performance.now() + backoffMs }
  }

  #recentFailure(): { readonly error: unknown } | undefined {
    return this.#failure !== undefined && performance.now() < this.#failure.until ? this.#failure : undefined
  }
}
