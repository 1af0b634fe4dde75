import { checkDelay, invalid } from '../check.js'
import { Deadlines } from '../deadlines.js'
import { Drain, type DrainOptions } from '../drain.js'
import { observe, type Telemetry } from '../telemetry/observe.js'
import { Admission } from './admission.js'
import { Attempt } from './attempt.js'
import { BatchRuns } from './batch-runs.js'
import { BatcherLedger } from './batcher-ledger.js'
import { resolveOptions, type BatcherOptions, type ResolvedOptions } from './batcher-options.js'
import type { BatcherStats } from './batcher-stats.js'
import type { Bucket } from './bucket.js'
import { Caution } from './caution.js'
import { Quarantine } from './quarantine.js'
import { Ticket, type SubmitOptions, type TicketFields, type Withdrawal } from './ticket.js'
import { WaitingRoom } from './waiting-room.js'

/**
 * Turns single requests into batches for any batched function.
 *
 * A run starts as soon as one of `concurrency` is free, unless by the measured durations and arrivals it pays to wait for company (see
 * `Company`); while runs are busy, requests collect. Who goes next: the bucket, tenant and request that fairness, priority and arrival say.
 * Every accepted request settles exactly once.
 *
 * @throws ERR_BIO_CONFIG for options that could never work
 *
 * @example
 * ```ts
 * import { Batcher } from '@bio/batching'
 *
 * const run = async (texts: readonly string[]) => texts.map((text) => text.length)
 * const batcher = new Batcher({ run, maxBatchSize: 32 })
 * console.log(await batcher.submit('hello', { signal: AbortSignal.timeout(1000), deadlineMs: 200 })) // => 5
 * ```
 */
export class Batcher<Input, Output> implements AsyncDisposable {
  readonly #options: ResolvedOptions<Input, Output>
  readonly #room: WaitingRoom<Input, Output>
  readonly #admission: Admission<Input, Output>
  readonly #caution: Caution = new Caution()
  readonly #quarantine: Quarantine<Input> | undefined
  readonly #runs: BatchRuns<Input, Output>
  /** The first attempts of the batches that run: each holds its place until its last request has settled. */
  readonly #running: Set<Attempt<Input, Output>> = new Set()
  readonly #ledger: BatcherLedger = new BatcherLedger()
  readonly #drain: Drain = new Drain('Batcher', () => this.#room.count === 0 && this.#running.size === 0)
  readonly #deadlines: Deadlines<Ticket<Input, Output>> = new Deadlines(
    () => this.#unsettled(),
    (ticket) => ticket.expire(),
  )
  readonly #telemetry: Telemetry
  readonly #close: () => Promise<void>
  /** Whether it will look at what waits when this turn of the event loop ends. */
  #wakes = false
  /** Batches whose callers are getting their answers; it will look at what waits when they have sent what they send in answer. */
  #answering = 0
  /** The end of a wait for company. */
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: BatcherOptions<Input, Output>) {
    const { runner, ...resolved } = resolveOptions(options)
    this.#options = resolved
    this.#telemetry = observe({ name: resolved.name, source: this })
    this.#close = () => runner.close()
    this.#room = new WaitingRoom(resolved)
    this.#admission = new Admission(this.#room, resolved, this.#running, this.#caution)
    this.#quarantine = resolved.quarantine && new Quarantine(resolved.quarantine)
    this.#runs = new BatchRuns({
      runner,
      ledger: this.#ledger,
      idempotent: resolved.idempotent,
      check: resolved.check,
      quarantine: this.#quarantine,
      resolve: this.#resolve,
      reject: this.#fail,
      settled: this.#settled,
    })
  }

  /**
   * Runs `input` in some batch and gives its output.
   *
   * Rejects with the signal's reason when aborted (a queued request then never runs), with what `run` threw or returned for it, with what
   * `bucket`, `cost`, `bytes` or `check` threw, and with a `BioError`: ERR_BIO_QUEUE_FULL (a `QueueFullError`), ERR_BIO_DEADLINE,
   * ERR_BIO_OUTPUT_COUNT (`run` did not return one output per input), ERR_BIO_RUN_TIMEOUT, ERR_BIO_WORKER_CRASHED, ERR_BIO_WORKER_START,
   * ERR_BIO_QUARANTINED, ERR_BIO_CLOSED (after `drain`, or a drain gave up), ERR_BIO_CONFIG (an option or cost that could never work).
   */
  submit(input: Input, options: SubmitOptions = {}): Promise<Output> {
    // Not an async function: its promise would settle some turns after the ticket's.
    try {
      return this.#accept(input, options)
    } catch (refusal) {
      return Promise.reject(refusal)
    }
  }

  /**
   * Takes no more requests, runs those accepted without further waiting, and resolves when all have settled and every run has
   * returned. After `timeoutMs` it rejects the rest with ERR_BIO_CLOSED, aborts their runs and resolves without waiting for them.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    const drained = this.#drain.close(options, (error) => {
      for (const ticket of this.#unsettled()) this.#fail(ticket, error)
    })
    if (this.#drain.closed) this.#startDue()
    await drained
    this.#deadlines.close()
    await this.#close()
  }

  /** `drain()` with its default timeout. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  /** Counts and means since construction. */
  stats(): BatcherStats {
    return this.#ledger.snapshot(this.#options.maxBatchSize, this.#room.count)
  }

  get #isFree(): boolean {
    return this.#running.size < this.#options.concurrency
  }

  #accept(input: Input, options: SubmitOptions): Promise<Output> {
    checkSubmit(options)
    this.#drain.checkOpen()
    options.signal?.throwIfAborted()
    const request = this.#describe(input, options)
    try {
      this.#quarantine?.check(request.name)
      this.#admission.check(request, options.deadlineMs)
    } catch (refusal) {
      this.#ledger.counts.rejected += 1
      throw refusal
    }
    const ticket = new Ticket(request, options, this.#withdraw)
    this.#ledger.counts.submitted += 1
    request.bucket.company.arrived(request.arrivedAt)
    this.#deadlines.added(ticket)
    this.#room.add(ticket)
    if (this.#isFree && request.bucket.isFull) this.#start(request.bucket)
    else if (this.#isFree && this.#answering === 0) {
      this.#await(request.bucket, 'arrival')
      this.#wakeAtEndOfTurn()
    }
    return ticket.promise
  }

  #describe(input: Input, { tenant = '' }: SubmitOptions): TicketFields<Input, Output> {
    const { ageingMs, bucket, bytes, cost, maxBatchCost, maxQueueBytes } = this.#options
    const fields = {
      input,
      bucket: this.#room.bucket(bucket(input)),
      tenant: this.#room.tenants.get(tenant),
      cost: cost(input),
      bytes: bytes(input),
      name: this.#quarantine?.identify(input) ?? '',
      arrivedAt: performance.now(),
      ageingMs,
    }
    if (!(fields.cost >= 0 && fields.cost <= maxBatchCost))
      throw invalid('Batcher.submit', `a cost from 0 to maxBatchCost (${maxBatchCost})`, fields.cost)
    if (!(fields.bytes >= 0 && fields.bytes <= maxQueueBytes))
      throw invalid('Batcher.submit', `bytes from 0 to maxQueueBytes (${maxQueueBytes})`, fields.bytes)
    return fields
  }

  /** What arrives in one turn of the event loop starts together. */
  #wakeAtEndOfTurn(): void {
    if (this.#wakes) return
    this.#wakes = true
    setImmediate(() => {
      this.#wakes = false
      this.#startDue()
    })
  }

  /** Starts what need not wait any longer, and sets the timer for the rest. */
  #startDue(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    while (this.#isFree) {
      const bucket = this.#room.next((candidate) => this.#waitUntil(candidate) <= now)
      if (bucket === undefined) break
      this.#start(bucket)
    }
    if (!this.#isFree || this.#room.count === 0) return
    let until = Infinity
    for (const bucket of this.#room.occupied()) until = Math.min(until, this.#waitUntil(bucket))
    this.#timer = setTimeout(() => this.#startDue(), Math.ceil(until - now))
  }

  /** Until when a bucket had better wait for company, though a run could start. */
  #waitUntil(bucket: Bucket<Input, Output>): number {
    // Where two runs are free, whoever comes next takes the other.
    if (this.#drain.closed || bucket.isFull || this.#running.size + 1 < this.#options.concurrency)
      return -Infinity
    const { maxWaitMs } = this.#options
    return maxWaitMs === Infinity
      ? bucket.waitUntil()
      : Math.min(bucket.waitUntil(), bucket.oldestAt() + maxWaitMs)
  }

  #await(bucket: Bucket<Input, Output>, moment: 'arrival' | 'end'): void {
    bucket.awaitCompany(moment, performance.now(), this.#options.concurrency)
  }

  #start(bucket: Bucket<Input, Output>): void {
    const now = performance.now()
    const places = bucket.isFull ? 0 : this.#options.maxBatchSize - bucket.count
    const tickets = this.#room.take(bucket, now)
    if (tickets.length === 0) return
    this.#caution.spared(places, tickets.length, now)
    const attempt = new Attempt(tickets)
    this.#running.add(attempt)
    this.#ledger.dispatched(attempt)
    void this.#runs.run(attempt)
    setImmediate(() => (attempt.isElsewhere = true))
  }

  /**
   * A batch has settled. Where runs are done elsewhere, one that is full now, or becomes so while callers send what they send in answer,
   * starts before the other answers are handed out; in this thread it would hold them back.
   */
  readonly #settled = (batch: Attempt<Input, Output>): void => {
    const { isElsewhere, queueMs, startedAt, tickets } = batch
    const runMs = performance.now() - startedAt
    this.#caution.ran(tickets.length)
    this.#answering += 1
    if (isElsewhere) this.#free(batch)
    process.nextTick(() => {
      this.#answering -= 1
      if (!isElsewhere) this.#free(batch)
      this.#startAnswers(isElsewhere)
      if (this.#isFree && this.#room.count === 0)
        this.#caution.spared(this.#options.maxBatchSize, tickets.length, performance.now())
      this.#telemetry.ran({ items: tickets.length, queueMs, runMs })
      this.#drain.notify()
    })
  }

  /** Gives the place of a batch to one that is full. */
  #free(batch: Attempt<Input, Output>): void {
    this.#running.delete(batch)
    for (let full = this.#nextFull(); full !== undefined && this.#isFree; full = this.#nextFull())
      this.#start(full)
  }

  /** All answers have been handed out, and what callers sent at once in answer waits. */
  #startAnswers(isElsewhere: boolean): void {
    if (!this.#isFree || this.#room.count === 0) return
    for (const bucket of this.#room.occupied()) this.#await(bucket, 'end')
    // Runs in this thread let the event loop turn between them.
    if (isElsewhere || this.#drain.closed) this.#startDue()
    else this.#wakeAtEndOfTurn()
  }

  /** Everyone who waits or runs. */
  *#unsettled(): Iterable<Ticket<Input, Output>> {
    yield* this.#room.tickets()
    for (const { tickets } of this.#running) for (const ticket of tickets) if (!ticket.settled) yield ticket
  }

  #nextFull(): Bucket<Input, Output> | undefined {
    return this.#room.next(({ isFull }) => isFull)
  }

  readonly #resolve = (ticket: Ticket<Input, Output>, output: Output): void => {
    if (!ticket.resolve(output)) return
    this.#deadlines.left(ticket)
    this.#ledger.counts.completed += 1
  }

  readonly #fail = (ticket: Ticket<Input, Output>, error: unknown): void => {
    if (ticket.reject(error)) this.#leave(ticket, 'failed', error)
  }

  readonly #withdraw = (ticket: Ticket<Input, Output>, withdrawal: Withdrawal, reason: unknown): void => {
    if (ticket.reject(reason)) this.#leave(ticket, withdrawal, reason)
  }

  /** A request ended without an output: it leaves the queue, or its run has one reason less to go on. */
  #leave(ticket: Ticket<Input, Output>, count: Withdrawal | 'failed', reason: unknown): void {
    this.#deadlines.left(ticket)
    this.#ledger.counts[count] += 1
    if (count === 'expired') this.#caution.broke()
    if (ticket.attempt === undefined) {
      this.#room.remove(ticket)
      if (this.#room.count === 0) clearTimeout(this.#timer)
    } else ticket.attempt.release(reason)
    this.#drain.notify()
  }
}

function checkSubmit({ deadlineMs, priority = 0, tenant = '' }: SubmitOptions): void {
  if (deadlineMs !== undefined) checkDelay('Batcher.submit', 'deadlineMs', deadlineMs)
  if (!Number.isFinite(priority)) throw invalid('Batcher.submit', 'priority to be a finite number', priority)
  if (typeof tenant !== 'string') throw invalid('Batcher.submit', 'tenant to be a string', tenant)
}
