import { BioError } from '@bio/errors'
import { checkCount, checkDelay, describe, invalid } from '../check.js'
import { Drain, type DrainOptions } from '../drain.js'
import { QueueFullError } from '../queue-full-error.js'
import { BatcherLedger } from './batcher-ledger.js'
import type { BatcherStats } from './batcher-stats.js'
import { RunningBatch } from './running-batch.js'
import { Ticket, type SubmitOptions, type Withdrawal } from './ticket.js'

/** What a run returns: one entry per input, in their order; an `Error` rejects that request only. */
export type BatchOutputs<Output> = readonly (Output | Error)[]

/** How a `Batcher` collects and runs. */
export interface BatcherOptions<Input, Output> {
  /** The batched function. `signal` aborts once every request of the batch has been withdrawn. */
  readonly run: (
    inputs: readonly Input[],
    context: { readonly signal: AbortSignal },
  ) => Promise<BatchOutputs<Output>> | BatchOutputs<Output>
  /** Most requests in one call of `run`. */
  readonly maxBatchSize: number
  /**
   * Longest wait for company, in milliseconds from the arrival of the oldest request; longer only while all `concurrency` runs
   * are busy. 0 collects what arrives in the same turn of the event loop.
   */
  readonly maxWaitMs: number
  /** Most requests waiting; more are refused with a `QueueFullError`. Default 1,024. */
  readonly maxQueue?: number
  /** Calls of `run` at the same time. Default 1. */
  readonly concurrency?: number
}

/**
 * Turns single requests into batches for any batched function.
 *
 * A batch is dispatched when `maxBatchSize` requests wait, or when the oldest has waited `maxWaitMs` since it *arrived*, whichever
 * is first, as soon as one of `concurrency` runs is free; it goes on collecting while batches run. Requests keep their order of
 * arrival. Every accepted request settles exactly once.
 *
 * @throws ERR_BIO_CONFIG for sizes below 1, delays that are negative, NaN or beyond 2³¹ − 1 ms
 *
 * @example
 * ```ts
 * import { Batcher } from '@bio/batching'
 *
 * const run = async (texts: readonly string[]) => texts.map((text) => text.length)
 * const batcher = new Batcher({ run, maxBatchSize: 32, maxWaitMs: 10 })
 * console.log(await batcher.submit('hello', { signal: AbortSignal.timeout(1000), deadlineMs: 200 })) // => 5
 * ```
 */
export class Batcher<Input, Output> implements AsyncDisposable {
  readonly #options: Required<BatcherOptions<Input, Output>>
  readonly #queue: Set<Ticket<Input, Output>> = new Set()
  readonly #running: Set<RunningBatch<Input, Output>> = new Set()
  readonly #ledger: BatcherLedger = new BatcherLedger()
  readonly #drain: Drain = new Drain('Batcher', () => this.#queue.size === 0 && this.#running.size === 0)
  /** The request whose wait the timer keeps, and how to stop it. */
  #wait: { readonly oldest: Ticket<Input, Output>; readonly stop: () => void } | undefined

  constructor(options: BatcherOptions<Input, Output>) {
    const { run, maxBatchSize, maxWaitMs, maxQueue = 1024, concurrency = 1 } = options
    if (typeof run !== 'function') throw invalid('Batcher', 'run to be a function', run)
    checkCount('Batcher', 'maxBatchSize', maxBatchSize)
    checkDelay('Batcher', 'maxWaitMs', maxWaitMs)
    checkCount('Batcher', 'maxQueue', maxQueue)
    checkCount('Batcher', 'concurrency', concurrency)
    this.#options = { run, maxBatchSize, maxWaitMs, maxQueue, concurrency }
  }

  /**
   * Runs `input` in some batch and gives its output.
   *
   * Rejects with the signal's reason when aborted (a queued request then never runs), with what `run` threw or returned for it,
   * and with a `BioError`: ERR_BIO_QUEUE_FULL (a `QueueFullError`), ERR_BIO_DEADLINE, ERR_BIO_OUTPUT_COUNT (`run` did not return
   * one output per input), ERR_BIO_CLOSED (after `drain`, or a drain gave up), ERR_BIO_CONFIG (bad `deadlineMs`).
   */
  async submit(input: Input, options: SubmitOptions = {}): Promise<Output> {
    if (options.deadlineMs !== undefined) checkDelay('Batcher.submit', 'deadlineMs', options.deadlineMs)
    this.#drain.checkOpen()
    options.signal?.throwIfAborted()
    if (this.#queue.size >= this.#options.maxQueue) {
      this.#ledger.counts.rejected += 1
      throw new QueueFullError('Batcher.submit', {
        maxQueue: this.#options.maxQueue,
        retryAfterMs: this.#drainEstimateMs(),
      })
    }
    const ticket = new Ticket<Input, Output>(input, options, this.#withdraw)
    this.#ledger.counts.submitted += 1
    this.#queue.add(ticket)
    if (this.#queue.size >= this.#options.maxBatchSize) this.#dispatchDue()
    else this.#keepWait()
    return ticket.promise
  }

  /**
   * Takes no more requests, runs those accepted without further waiting, and resolves when all have settled and every run has
   * returned. After `timeoutMs` it rejects the rest with ERR_BIO_CLOSED, aborts their runs and resolves without waiting for them.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const drained = this.#drain.close(options, (error) => {
      for (const batch of this.#running) for (const ticket of batch.tickets) this.#fail(ticket, error)
      for (const ticket of this.#queue) this.#fail(ticket, error)
    })
    if (this.#drain.closed) this.#dispatchDue()
    await drained
  }

  /** `drain()` with its default timeout. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  /** Counts and means since construction. */
  stats(): BatcherStats {
    return this.#ledger.snapshot(this.#options.maxBatchSize, this.#queue.size)
  }

  #dispatchDue(): void {
    while (this.#queue.size > 0 && this.#running.size < this.#options.concurrency && this.#isDue())
      this.#dispatch()
    this.#keepWait()
  }

  #isDue(): boolean {
    if (this.#drain.closed || this.#queue.size >= this.#options.maxBatchSize) return true
    return this.#oldestWaitLeftMs() <= 0
  }

  #oldest(): Ticket<Input, Output> | undefined {
    return this.#queue.values().next().value
  }

  #oldestWaitLeftMs(): number {
    const oldest = this.#oldest()
    return oldest === undefined ? Infinity : oldest.arrivedAt + this.#options.maxWaitMs - performance.now()
  }

  /** Keeps one timer, for the oldest waiting request, while a run is free to take it. */
  #keepWait(): void {
    const oldest = this.#running.size < this.#options.concurrency ? this.#oldest() : undefined
    if (this.#wait?.oldest === oldest) return
    this.#wait?.stop()
    this.#wait = oldest && { oldest, stop: this.#startTimer() }
  }

  #startTimer(): () => void {
    const onTime = (): void => {
      this.#wait = undefined
      this.#dispatch() // not #dispatchDue: the timer decides, should the clock lag behind it by a fraction
      this.#dispatchDue()
    }
    if (this.#options.maxWaitMs === 0) {
      const turn = setImmediate(onTime)
      return () => clearImmediate(turn)
    }
    const timer = setTimeout(onTime, Math.max(0, Math.ceil(this.#oldestWaitLeftMs())))
    return () => clearTimeout(timer)
  }

  #dispatch(): void {
    const now = performance.now()
    const tickets: Ticket<Input, Output>[] = []
    let queueMs = 0
    for (const ticket of this.#queue) {
      if (tickets.length === this.#options.maxBatchSize) break
      ticket.expireIfLate(now)
      if (ticket.settled) continue
      tickets.push(ticket)
      queueMs += now - ticket.arrivedAt
    }
    if (tickets.length === 0) return
    for (const ticket of tickets) this.#queue.delete(ticket)
    const batch = new RunningBatch(tickets)
    this.#running.add(batch)
    this.#ledger.dispatched(tickets.length, queueMs)
    void this.#run(batch)
  }

  async #run(batch: RunningBatch<Input, Output>): Promise<void> {
    const inputs = batch.tickets.map((ticket) => ticket.input)
    let settle: (ticket: Ticket<Input, Output>, index: number) => void
    try {
      const outputs = await this.#options.run(inputs, { signal: batch.abort.signal })
      checkOutputs(outputs, inputs.length)
      settle = (ticket, index) => this.#settle(ticket, outputs[index] as Output | Error)
    } catch (error) {
      settle = (ticket) => this.#fail(ticket, error)
    }
    this.#ledger.ran(performance.now() - batch.startedAt)
    this.#running.delete(batch)
    batch.tickets.forEach(settle)
    this.#dispatchDue()
    this.#drain.notify()
  }

  #settle(ticket: Ticket<Input, Output>, output: Output | Error): void {
    if (output instanceof Error) this.#fail(ticket, output)
    else if (ticket.resolve(output)) this.#ledger.counts.completed += 1
  }

  #fail(ticket: Ticket<Input, Output>, error: unknown): void {
    if (ticket.reject(error)) this.#leave(ticket, 'failed', error)
  }

  readonly #withdraw = (ticket: Ticket<Input, Output>, withdrawal: Withdrawal, reason: unknown): void => {
    if (ticket.reject(reason)) this.#leave(ticket, withdrawal, reason)
  }

  /** A request ended without an output: it leaves the queue, or its batch has one reason less to run. */
  #leave(ticket: Ticket<Input, Output>, count: Withdrawal | 'failed', reason: unknown): void {
    this.#ledger.counts[count] += 1
    if (ticket.batch === undefined) this.#queue.delete(ticket)
    else if (this.#running.has(ticket.batch)) ticket.batch.abort.release(reason)
    this.#keepWait()
    this.#drain.notify()
  }

  /** Milliseconds in which the full queue will have been taken, at the pace of the recent runs. */
  #drainEstimateMs(): number {
    const { maxBatchSize, maxWaitMs, concurrency } = this.#options
    const runMs = this.#ledger.recentRunMs.value ?? maxWaitMs
    return Math.ceil(this.#queue.size / (maxBatchSize * concurrency)) * runMs
  }
}

function checkOutputs(outputs: unknown, inputs: number): void {
  if (Array.isArray(outputs) && outputs.length === inputs) return
  throw new BioError('ERR_BIO_OUTPUT_COUNT', {
    operation: 'Batcher.run',
    expected: `an array of ${inputs} outputs, one per input`,
    received: describe(outputs),
  })
}
