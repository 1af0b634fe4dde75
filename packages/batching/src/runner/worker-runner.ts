import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkCount, invalid } from '../check.js'
import type { WorkerKind } from '../workers/worker-link.js'
import { WorkerSlot } from '../workers/worker-slot.js'
import { checkTimeout } from './run-timeout.js'
import type { BatchOutputs, RunContext, Runner } from './runner.js'

/** What the function of a worker gets beside its inputs. */
export interface WorkerRunContext<Data = unknown> extends RunContext {
  /** A copy of the pool's `data`. */
  readonly data: Data
}

/** The signature of the `run` that a worker's module exports. */
export type WorkerRun<Input, Output, Data = unknown> = (
  inputs: readonly Input[],
  context: WorkerRunContext<Data>,
) => Promise<BatchOutputs<Output>> | BatchOutputs<Output>

/** Where and how a pool of workers runs a module. */
export interface WorkersOptions {
  /** The module that exports `run`, a {@link WorkerRun}: a URL (`new URL('./model.js', import.meta.url)`) or the path of a file. */
  readonly module: string | URL
  /** Workers, and so batches at the same time. Default: the parallelism of the machine. */
  readonly count?: number
  /**
   * `'thread'` (default) is quicker. `'process'` survives what ends a process: a segfault in native code, memory that runs out there, a native
   * loop that never returns.
   */
  readonly kind?: WorkerKind
  /** Anything that structured clone can copy; each worker gets a copy as `context.data`. */
  readonly data?: unknown
  /** A worker whose run takes longer is killed and replaced, and the run rejects with ERR_BIO_RUN_TIMEOUT. Default: no limit. */
  readonly runTimeoutMs?: number
  /** A worker that takes longer to load the module is killed; runs that need it reject with ERR_BIO_WORKER_START. Default 60,000. */
  readonly startTimeoutMs?: number
}

/** What `close` waits for threads in native code that cannot be interrupted. */
const closeGraceMs = 1000

/**
 * Runs batches in a pool of worker threads or child processes, one at a time in each while there are not more runs than workers.
 *
 * The workers load the module when the pool is made, so that no request waits for a model to load, and an idle pool does not keep the
 * process alive. Inputs and outputs are copied by structured clone; of a typed array goes only what it shows, never the buffer beneath.
 * A view inside an object brings its whole buffer along.
 *
 * @throws ERR_BIO_CONFIG for a module that is no path or URL, a count below 1, a kind unknown, times that no timer can keep, data that cannot
 *   be cloned
 */
export class WorkerRunner<Input, Output> implements Runner<Input, Output> {
  readonly count: number
  readonly #slots: readonly WorkerSlot[]

  constructor(options: WorkersOptions) {
    const {
      count = availableParallelism(),
      kind = 'thread',
      data,
      runTimeoutMs,
      startTimeoutMs = 60_000,
    } = options
    checkCount('Batcher.workers', 'count', count)
    if (kind !== 'thread' && kind !== 'process')
      throw invalid('Batcher.workers', "kind to be 'thread' or 'process'", kind)
    checkTimeout('runTimeoutMs', runTimeoutMs)
    checkTimeout('startTimeoutMs', startTimeoutMs)
    const worker = { kind, module: moduleUrl(options.module), data, runTimeoutMs, startTimeoutMs }
    this.count = count
    this.#slots = Array.from({ length: count }, () => new WorkerSlot(worker))
    try {
      for (const slot of this.#slots) slot.start()
    } catch (error) {
      void this.close()
      throw error
    }
  }

  async run(inputs: readonly Input[], context: RunContext): Promise<BatchOutputs<Output>> {
    const slot = this.#slots.reduce((best, other) => (isSooner(other, best) ? other : best))
    return (await slot.run(inputs, context)) as BatchOutputs<Output>
  }

  async close(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const grace = new Promise<void>((done) => (timer = setTimeout(done, closeGraceMs)))
    await Promise.race([Promise.all(this.#slots.map((slot) => slot.close())), grace])
    clearTimeout(timer)
  }
}

function isSooner(slot: WorkerSlot, than: WorkerSlot): boolean {
  return slot.held === than.held ? slot.delay < than.delay : slot.held < than.held
}

function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href
  if (typeof module !== 'string' || module === '')
    throw invalid('Batcher.workers', 'module to be a URL or the path of a file', module)
  return /^(file|data):/.test(module) ? module : pathToFileURL(resolve(module)).href
}
