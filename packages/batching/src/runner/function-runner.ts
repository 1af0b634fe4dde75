import { onAbort } from '../on-abort.js'
import { checkTimeout, runTimedOut } from './run-timeout.js'
import type { BatchOutputs, RunContext, Runner } from './runner.js'

/** A batched function of this process. */
export type RunFunction<Input, Output> = (
  inputs: readonly Input[],
  context: RunContext,
) => Promise<BatchOutputs<Output>> | BatchOutputs<Output>

export interface FunctionRunnerOptions<Input, Output> {
  readonly run: RunFunction<Input, Output>
  /** After so many milliseconds the run's signal aborts and the run rejects with ERR_BIO_RUN_TIMEOUT. Default: no limit. */
  readonly runTimeoutMs?: number
}

/** Runs batches in this process. A function cannot be stopped from outside: past its time it is told, and its outcome ignored. */
export class FunctionRunner<Input, Output> implements Runner<Input, Output> {
  readonly #run: RunFunction<Input, Output>
  readonly #runTimeoutMs: number | undefined

  constructor({ run, runTimeoutMs }: FunctionRunnerOptions<Input, Output>) {
    checkTimeout('runTimeoutMs', runTimeoutMs)
    this.#run = run
    this.#runTimeoutMs = runTimeoutMs
  }

  run(inputs: readonly Input[], context: RunContext): Promise<BatchOutputs<Output>> {
    const run = this.#run
    if (this.#runTimeoutMs !== undefined) return this.#runWithin(this.#runTimeoutMs, inputs, context)
    // Not an async function: its promise would settle some turns after that of `run`.
    try {
      return Promise.resolve(run(inputs, context))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async close(): Promise<void> {}

  async #runWithin(
    runTimeoutMs: number,
    inputs: readonly Input[],
    { signal }: RunContext,
  ): Promise<BatchOutputs<Output>> {
    const controller = new AbortController()
    if (signal.aborted) controller.abort(signal.reason)
    const stopListening = onAbort(signal, () => controller.abort(signal.reason))
    const run = this.#run
    let timer: ReturnType<typeof setTimeout> | undefined
    try {
      const outputs = run(inputs, { signal: controller.signal })
      const timedOut = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          const error = runTimedOut(runTimeoutMs)
          reject(error)
          controller.abort(error)
        }, runTimeoutMs)
      })
      return await Promise.race([outputs, timedOut]) // a race also marks the loser's rejection as handled
    } finally {
      clearTimeout(timer)
      stopListening()
    }
  }
}
