import { checkCount, checkDelay, invalid } from '../check.js'
import { FunctionRunner, type RunFunction } from '../runner/function-runner.js'
import type { Runner } from '../runner/runner.js'
import { WorkerRunner, type WorkersOptions } from '../runner/worker-runner.js'
import type { QuarantineOptions } from './quarantine.js'

/** How a `Batcher` collects its batches, and how much may wait. */
export interface BatchingOptions<Input, Output> {
  /** Most requests in one run. */
  readonly maxBatchSize: number
  /** What a request costs of a run: tokens, pixels, … Runs are timed and tenants served by it. Default 1 each. */
  readonly cost?: (input: Input) => number
  /** Most cost in one run; a request above it is refused. */
  readonly maxBatchCost?: number
  /** Only requests with the same key share a run, e.g. a shape. What it throws refuses that request alone. */
  readonly bucket?: (input: Input) => string | number
  /**
   * Longest wait for company, in milliseconds from the arrival of the oldest request, while a run could start. Default: as long as it
   * pays by the measured durations and arrivals, which may be no time at all. Requests that arrive in one turn of the event loop while nothing runs always share a run.
   */
  readonly maxWaitMs?: number
  /** Runs at the same time. Default 1; with `workers`, their number. */
  readonly concurrency?: number
  /** Most requests waiting; more are refused with a `QueueFullError`. Default 1,024. */
  readonly maxQueue?: number
  /** Size of a request in memory. Default 0. */
  readonly bytes?: (input: Input) => number
  /** Most bytes waiting, as `bytes` counts them. */
  readonly maxQueueBytes?: number
  /** Longest wait to be accepted for, estimated from the recent runs. */
  readonly maxQueueMs?: number
  /** Share of a tenant in the runs, relative to the others; above 0. Default 1 each. */
  readonly weight?: (tenant: string) => number
  /** Milliseconds of waiting that one level of priority is worth. Default 1,000. */
  readonly ageingMs?: number
  /** Whether requests of a failed run may run again to find out which of them are at fault. Default false. */
  readonly idempotent?: boolean
  /** Milliseconds after which a run counts as hung and fails with ERR_BIO_RUN_TIMEOUT; a worker is then killed. */
  readonly runTimeoutMs?: number
  /** Throws for an output that will not do, e.g. `refuseNaN`. */
  readonly check?: (output: Output, input: Input) => void
  /** Refuses inputs that failed on their own repeatedly. */
  readonly quarantine?: QuarantineOptions<Input>
  /** Names this batcher in OpenTelemetry. Default `default`. */
  readonly name?: string
}

/** A batched function in this process, or in workers. */
export type RunOptions<Input, Output> =
  | {
      /** The batched function. `signal` aborts once every request of the run has been withdrawn, or its time is over. */
      readonly run: RunFunction<Input, Output>
      readonly workers?: undefined
    }
  | { readonly run?: undefined; readonly workers: WorkersOptions }

export type BatcherOptions<Input, Output> = BatchingOptions<Input, Output> & RunOptions<Input, Output>

/** The options with their defaults. */
export type ResolvedOptions<Input, Output> = Required<
  Omit<BatchingOptions<Input, Output>, 'check' | 'quarantine' | 'runTimeoutMs'>
> &
  Pick<BatchingOptions<Input, Output>, 'check' | 'quarantine'>

/** Checks and completes the options (`ERR_BIO_CONFIG`). */
export function resolveOptions<Input, Output>(
  options: BatcherOptions<Input, Output>,
): ResolvedOptions<Input, Output> & { readonly runner: Runner<Input, Output> } {
  const { maxBatchSize, check, quarantine } = options
  const {
    maxBatchCost = Infinity,
    maxQueue = 1024,
    maxQueueBytes = Infinity,
    maxQueueMs = Infinity,
  } = options
  const { maxWaitMs = Infinity, ageingMs = 1000, idempotent = false, name = 'default' } = options
  const { cost = () => 1, bucket = () => '', bytes = () => 0, weight = () => 1 } = options
  checkCount('Batcher', 'maxBatchSize', maxBatchSize)
  checkCount('Batcher', 'maxQueue', maxQueue)
  checkDelay('Batcher', 'ageingMs', ageingMs)
  if (maxWaitMs !== Infinity) checkDelay('Batcher', 'maxWaitMs', maxWaitMs)
  for (const [limit, value] of Object.entries({ maxBatchCost, maxQueueBytes, maxQueueMs }))
    if (!(value > 0)) throw invalid('Batcher', `${limit} above 0`, value)
  for (const [callback, value] of Object.entries({ cost, bucket, bytes, weight, check: check ?? cost }))
    if (typeof value !== 'function') throw invalid('Batcher', `${callback} to be a function`, value)
  const limits = { maxBatchSize, maxBatchCost, maxQueue, maxQueueBytes, maxQueueMs, maxWaitMs, ageingMs }
  return {
    ...limits,
    cost,
    bucket,
    bytes,
    weight,
    idempotent,
    name,
    ...(check === undefined ? {} : { check }),
    ...(quarantine === undefined ? {} : { quarantine }),
    ...createRunner(options),
  }
}

function createRunner<Input, Output>(
  options: BatcherOptions<Input, Output>,
): { readonly runner: Runner<Input, Output>; readonly concurrency: number } {
  const { run, workers, concurrency = 1, runTimeoutMs } = options
  checkCount('Batcher', 'concurrency', concurrency)
  const limit = runTimeoutMs === undefined ? {} : { runTimeoutMs }
  if (workers === undefined) {
    if (typeof run !== 'function') throw invalid('Batcher', 'run to be a function, or workers', run)
    return { runner: new FunctionRunner({ run, ...limit }), concurrency }
  }
  if (run !== undefined) throw invalid('Batcher', 'either run or workers', run)
  if (options.concurrency !== undefined)
    throw invalid('Batcher', 'no concurrency beside workers: give workers.count', concurrency)
  const runner = new WorkerRunner<Input, Output>({ ...workers, ...limit })
  return { runner, concurrency: runner.count }
}
