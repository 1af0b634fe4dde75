import { onAbort } from '../on-abort.js'
import { runTimedOut } from '../runner/run-timeout.js'
import type { RunContext } from '../runner/runner.js'
import { refusal } from './crossing.js'
import type { FromWorker } from './messages.js'
import { revive } from './revive.js'
import { crashError, dataError, inputError, messageOf, startError } from './worker-errors.js'
import { openLink, type WorkerKind, type WorkerLink } from './worker-link.js'

export interface ModuleWorkerOptions {
  readonly kind: WorkerKind
  /** URL of the module. */
  readonly module: string
  readonly data: unknown
  readonly runTimeoutMs: number | undefined
  readonly startTimeoutMs: number
}

/** What is left when a worker has ended. */
export interface WorkerLoss {
  readonly error: unknown
  /** Whether it had loaded the module. */
  readonly loaded: boolean
  /** Runs that it took with it. */
  readonly held: number
}

type Refusals = readonly (readonly [index: number, error: Error])[]

interface Settle<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/** One life of one worker: it loads the module, runs batches, and ends once, with every run that it holds rejected. */
export class ModuleWorker {
  /** Resolves when the module is loaded; rejects with ERR_BIO_WORKER_START. */
  readonly ready: Promise<void>
  /** Resolves when the thread or process is gone. */
  readonly gone: Promise<void>
  state: 'starting' | 'ready' | 'ended' = 'starting'
  /** Runs sent here that have not settled. The worker keeps this process alive while there are any. */
  held = 0
  readonly #options: ModuleWorkerOptions
  readonly #onEnd: (loss: WorkerLoss) => void
  readonly #link: WorkerLink
  readonly #startTimer: ReturnType<typeof setTimeout>
  readonly #posted: Map<number, Settle<unknown>> = new Map()
  #started!: Settle<void>
  #lastId = 0
  #endedBy: unknown

  /** Throws ERR_BIO_CONFIG where `data` cannot be cloned, ERR_BIO_WORKER_START where the system gives no more threads or processes. */
  constructor(options: ModuleWorkerOptions, onEnd: (loss: WorkerLoss) => void) {
    const { kind, module, data, startTimeoutMs } = options
    this.#options = options
    this.#onEnd = onEnd
    this.ready = new Promise((resolve, reject) => (this.#started = { resolve, reject }))
    this.ready.catch(() => {}) // a worker that nobody needs yet may fail in silence
    try {
      this.#link = openLink(kind, (message) => this.#receive(message))
    } catch (error) {
      throw startError(module, messageOf(error), error)
    }
    try {
      this.#link.post({ type: 'load', module, data })
    } catch (error) {
      this.#link.kill()
      throw dataError(error)
    }
    const late = (): void => this.end(startError(module, `nothing yet after ${startTimeoutMs} ms`))
    this.#startTimer = setTimeout(late, startTimeoutMs).unref()
    this.gone = this.#link.ended.then(({ how, cause }) =>
      this.end(this.state === 'starting' ? startError(module, how, cause) : crashError(how, cause)),
    )
  }

  /** Gives what the module's `run` returned, with an error for each input that cannot be cloned. */
  async run(inputs: readonly unknown[], context: RunContext): Promise<unknown> {
    this.held += 1
    this.#link.ref()
    try {
      return await this.#run(inputs, context)
    } finally {
      this.held -= 1
      if (this.held === 0) this.#link.unref()
    }
  }

  /** Ends the worker with everything that waits for it. The first reason counts. */
  end(error: unknown): void {
    if (this.state === 'ended') return
    const loaded = this.state === 'ready'
    this.state = 'ended'
    this.#endedBy = error
    clearTimeout(this.#startTimer)
    this.#link.kill()
    this.#started.reject(error)
    for (const run of this.#posted.values()) run.reject(error)
    this.#onEnd({ error, loaded, held: this.held })
  }

  async #run(inputs: readonly unknown[], { signal }: RunContext): Promise<unknown> {
    if (this.state === 'starting') await this.#startOrAbort(signal)
    signal.throwIfAborted()
    if (this.state === 'ended') throw this.#endedBy
    const id = ++this.#lastId
    const refusals = this.#post(id, inputs)
    if (refusals.length > 0 && refusals.length === inputs.length) return refusals.map(([, error]) => error)
    const outputs = await this.#answer(id, signal)
    if (refusals.length === 0 || !Array.isArray(outputs)) return outputs
    const all = [...outputs]
    for (const [index, error] of refusals) all.splice(index, 0, error)
    return all // a wrong number of outputs stays a wrong number
  }

  #startOrAbort(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => reject(signal.reason))
      void this.ready.then(resolve, reject).finally(stopListening)
    })
  }

  /** Sends the inputs that can be cloned, and says why the others cannot: those alone fail. */
  #post(id: number, inputs: readonly unknown[]): Refusals {
    try {
      this.#link.post({ type: 'run', id, inputs })
      return []
    } catch {
      const causes = inputs.map((input) => refusal(input, this.#link.clone))
      const clean = inputs.filter((_, index) => causes[index] === undefined)
      if (clean.length > 0) this.#link.post({ type: 'run', id, inputs: clean })
      return causes.flatMap((cause, index) =>
        cause === undefined ? [] : [[index, inputError(index, cause)]],
      )
    }
  }

  #answer(id: number, signal: AbortSignal): Promise<unknown> {
    const { runTimeoutMs } = this.#options
    const answer = new Promise<unknown>((resolve, reject) => this.#posted.set(id, { resolve, reject }))
    const stopListening = onAbort(signal, () => this.#link.post({ type: 'abort', id }))
    const timer =
      runTimeoutMs === undefined ? undefined : setTimeout(() => this.#onHang(id, runTimeoutMs), runTimeoutMs)
    return answer.finally(() => {
      clearTimeout(timer)
      stopListening()
      this.#posted.delete(id)
    })
  }

  #onHang(id: number, runTimeoutMs: number): void {
    this.#posted.get(id)?.reject(runTimedOut(runTimeoutMs))
    this.end(crashError(`one killed for a run of more than ${runTimeoutMs} ms`))
  }

  #receive(message: FromWorker): void {
    // The module may post messages of its own: they are none of these.
    switch (message?.type) {
      case 'ready':
        if (this.state === 'starting') this.state = 'ready'
        clearTimeout(this.#startTimer)
        return this.#started.resolve()
      case 'failed':
        return this.#onLoadFailed(revive(message.thrown))
      case 'done':
        return this.#posted.get(message.id)?.resolve(withErrors(message))
      case 'threw':
        return this.#posted.get(message.id)?.reject(revive(message.thrown))
    }
  }

  #onLoadFailed(cause: unknown): void {
    this.end(startError(this.#options.module, messageOf(cause), cause))
  }
}

function withErrors({ outputs, errors }: Extract<FromWorker, { type: 'done' }>): unknown {
  if (!Array.isArray(outputs)) return outputs
  for (const [index, thrown] of errors) outputs[index] = revive(thrown)
  return outputs
}
