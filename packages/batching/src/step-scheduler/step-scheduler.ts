import { BioError } from '@bio/errors'
import { Tenants, type Tenant } from '../tenants.js'
import { checkCount, checkDelay, invalid } from '../check.js'
import { Drain, type DrainOptions } from '../drain.js'
import { onAbort } from '../on-abort.js'
import { QueueFullError } from '../queue-full-error.js'
import { SharedAbort } from '../shared-abort.js'
import type { CachedSequence, SequenceCache, StepEngine, StepItem } from './contract.js'
import { Deadlines } from '../deadlines.js'
import {
  checkRequest,
  type Generation,
  type GenerationRequest,
  type RequestTerms,
  type SampleRequest,
} from './generation.js'
import { ScheduledRequest } from './scheduled-request.js'
import { SchedulerLedger, type Ending } from './scheduler-ledger.js'
import type { SchedulerStats } from './scheduler-stats.js'
import { checkOutputs, checkToken, toItem } from './step-exchange.js'
import { StepPlanner, type Chunk } from './step-planner.js'

/** What a `StepScheduler` drives, and its limits. */
export interface StepSchedulerOptions<Sequence extends CachedSequence, Sampling> {
  readonly engine: StepEngine<Sequence, Sampling>
  readonly cache: SequenceCache<Sequence>
  /** Most new tokens per step, decodes and prefill together; at least `maxSequences`, so that every decode fits. */
  readonly maxTokensPerStep: number
  /** Most requests running at the same time. */
  readonly maxSequences: number
  /** Most requests waiting; more are refused with a `QueueFullError`. Default 1,024. */
  readonly maxQueue?: number
  /** A tenant's share of the steps beside the others', above 0; asked once per tenant, also for '', those without. Default 1. */
  readonly weight?: (tenant: string) => number
  /** Milliseconds of waiting that one level of priority is worth. Default 1,000. */
  readonly ageingMs?: number
}

/**
 * Continuous batching: every step is planned anew, so requests join and leave between any two tokens.
 *
 * A step holds all decodes and fills its budget with chunks of prefill. While the cache has blocks, requests are admitted: of the tenant
 * that was served the fewest tokens for its weight, the one whose submittedAt − priority · ageingMs is lowest. When the blocks run out,
 * the last by the same order is preempted and recomputed. Requests that share a prefix with one being prefilled wait for it where that is
 * faster, so that it is computed once. Given an engine whose rows do not depend on the batch, the tokens of a request depend on nothing
 * but the request.
 *
 * After Orca (OSDI'22) and vLLM v1's scheduler, and the virtual token counter of Sheng et al. (OSDI'24) for tenants; departures: a whole
 * prompt is reserved at admission, room to grow is kept after preemptions, and the queue is bounded.
 *
 * @throws ERR_BIO_CONFIG for sizes below 1, a budget below `maxSequences`, or a bad `ageingMs`
 *
 * @example
 * ```ts
 * import { StepScheduler } from '@bio/batching'
 *
 * // PagedKvCache of @bio/kv-cache is a real cache; a real engine runs a model. This one counts.
 * const cache = { blockTokens: 16, open: () => ({ cachedTokens: 0, reserve: () => true, commit() {}, close() {} }) }
 * const scheduler = new StepScheduler({
 *   cache,
 *   engine: { step: (items) => items.map(({ tokens }) => tokens.at(-1)! + 1) },
 *   maxTokensPerStep: 256,
 *   maxSequences: 16,
 * })
 * const generation = scheduler.submit({ prompt: Int32Array.of(5, 6), maxTokens: 2, sampling: null })
 * for await (const token of generation) console.log(token)
 * // => 7
 * // => 8
 * ```
 */
export class StepScheduler<Sequence extends CachedSequence, Sampling> implements AsyncDisposable {
  readonly #engine: StepEngine<Sequence, Sampling>
  readonly #limits: { readonly maxSequences: number; readonly maxQueue: number; readonly ageingMs: number }
  readonly #tenants: Tenants
  readonly #planner: StepPlanner<Sequence, Sampling>
  readonly #drain: Drain = new Drain('StepScheduler', () => !this.#looping)
  readonly #ledger: SchedulerLedger = new SchedulerLedger()
  readonly #deadlines: Deadlines<ScheduledRequest<Sequence, Sampling>> = new Deadlines(
    () => this.#unsettled(),
    (request) => this.#leave(request, 'expired', () => request.stream.fail(deadlineError(request))),
  )
  #looping = false
  /** The step in flight: its requests keep their blocks until it ends, even if they are gone. */
  #step: { readonly requests: ReadonlySet<unknown>; readonly abort: SharedAbort } | undefined
  #nextId = 0

  constructor(options: StepSchedulerOptions<Sequence, Sampling>) {
    const { engine, cache, maxTokensPerStep, maxSequences, maxQueue = 1024, ageingMs = 1000 } = options
    const { weight = () => 1 } = options
    checkCount('StepScheduler', 'maxSequences', maxSequences)
    checkCount('StepScheduler', 'maxTokensPerStep', maxTokensPerStep, maxSequences)
    checkCount('StepScheduler', 'maxQueue', maxQueue)
    checkCount('StepScheduler', 'cache.blockTokens', cache.blockTokens)
    checkDelay('StepScheduler', 'ageingMs', ageingMs)
    if (typeof weight !== 'function') throw invalid('StepScheduler', 'weight to be a function', weight)
    this.#engine = engine
    this.#limits = { maxSequences, maxQueue, ageingMs }
    this.#tenants = new Tenants('StepScheduler', weight)
    this.#planner = new StepPlanner(cache, this.#tenants, { maxTokensPerStep, maxSequences }, this.#fail)
  }

  /**
   * Accepts a request and returns its tokens as they come.
   *
   * @throws ERR_BIO_CONFIG (empty prompt, bad `maxTokens`, a `weight` that is not above 0), ERR_BIO_QUEUE_FULL (a `QueueFullError`),
   * ERR_BIO_CLOSED (after `drain`); what goes wrong later rejects the generation's `result`
   */
  submit(request: GenerationRequest<Sampling>): Generation {
    return this.#accept('StepScheduler.submit', request, [request.sampling])[0]!
  }

  /**
   * Accepts one request per sampling, all after the same prompt, or none of them. The prompt is computed once: the first sample computes it
   * while the others wait, then each goes on from there (from its whole blocks, where the cache cannot `fork` or the first has ended by
   * then). Each is a request of its own: it takes a place, and has the tokens that it would have alone.
   *
   * @throws what `submit` throws; ERR_BIO_CONFIG also for no samplings, or more than a queue of this size can ever take
   *
   * @example
   * ```ts
   * import { StepScheduler } from '@bio/batching'
   *
   * const cache = { blockTokens: 16, open: () => ({ cachedTokens: 0, reserve: () => true, commit() {}, close() {} }) }
   * const scheduler = new StepScheduler({
   *   cache,
   *   engine: { step: (items) => items.map(({ tokens, sampling }) => tokens.at(-1)! + sampling) },
   *   maxTokensPerStep: 256,
   *   maxSequences: 16,
   * })
   * const samples = scheduler.sample({ prompt: Int32Array.of(5, 6), maxTokens: 2, samplings: [1, 10] })
   * for (const { result } of samples) console.log((await result).tokens)
   * // => [ 7, 8 ]
   * // => [ 16, 26 ]
   * ```
   */
  sample(request: SampleRequest<Sampling>): readonly Generation[] {
    const { samplings } = request
    if (!Array.isArray(samplings) || samplings.length === 0)
      throw invalid('StepScheduler.sample', 'samplings to be an array of at least one', samplings)
    return this.#accept('StepScheduler.sample', request, samplings)
  }

  #accept(operation: string, terms: RequestTerms, samplings: readonly Sampling[]): Generation[] {
    checkRequest(operation, terms)
    this.#drain.checkOpen()
    const tenant = this.#tenants.get(terms.tenant ?? '')
    this.#checkPlaces(operation, tenant, samplings.length)
    let firstSample: ScheduledRequest<Sequence, Sampling> | undefined
    return samplings.map((sampling) => {
      const id = this.#nextId++
      const { ageingMs } = this.#limits
      const onAbandoned = this.#abort
      const request = new ScheduledRequest(terms, {
        id,
        sampling,
        tenant,
        ageingMs,
        firstSample,
        onAbandoned,
      })
      firstSample ??= request
      this.#enter(request, terms.signal)
      return request.stream
    })
  }

  #checkPlaces(operation: string, tenant: Tenant, wanted: number): void {
    const { maxQueue, maxSequences } = this.#limits
    const { waiting } = this.#planner
    const { now, ever } = waiting.placesFor(tenant, maxQueue)
    if (wanted <= now) return
    if (wanted > ever)
      throw invalid(operation, `at most ${ever} samplings, the queue being no longer`, wanted)
    this.#ledger.counts.rejected += wanted
    throw new QueueFullError(operation, {
      expected: `fewer than ${maxQueue} waiting requests, and of one tenant fewer than places left`,
      retryAfterMs: (waiting.size / maxSequences) * (this.#ledger.residenceMs.value ?? 0),
    })
  }

  #enter(request: ScheduledRequest<Sequence, Sampling>, signal: AbortSignal | undefined): void {
    this.#ledger.counts.submitted += 1
    if (signal?.aborted) return this.#abort(request)
    if (signal !== undefined) {
      const forget = onAbort(signal, () => this.#abort(request))
      request.stream.result.then(forget, forget)
    }
    this.#deadlines.added(request)
    this.#planner.waiting.add(request)
    if (!this.#looping) void this.#loop()
  }

  /**
   * Takes no more requests, finishes those accepted and resolves when their blocks are back. After `timeoutMs` it rejects the rest with
   * ERR_BIO_CLOSED and aborts the step in flight, whose blocks go back when the engine returns.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    await this.#drain.close(options, (error) => {
      for (const request of this.#unsettled()) this.#fail(request, error)
    })
    this.#deadlines.close()
  }

  /** `drain()` with its default timeout. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  /** Counts since construction. */
  stats(): SchedulerStats {
    const { waiting, running, preemptions, cachedTokens } = this.#planner
    const now = { waiting: waiting.size, running: running.length, preemptions, cachedTokens }
    return this.#ledger.snapshot(this.#limits.maxSequences, now)
  }

  async #loop(): Promise<void> {
    this.#looping = true
    const { waiting, running } = this.#planner
    while (waiting.size + running.length > 0) {
      // One turn of the event loop: what arrives together starts together, and aborts are heard between steps.
      await new Promise(setImmediate)
      this.#deadlines.expire() // should the clock be ahead of the timer by a fraction
      const chunks = this.#planner.plan()
      if (chunks.length > 0) await this.#runStep(chunks)
    }
    this.#looping = false
    this.#drain.notify()
  }

  async #runStep(chunks: readonly Chunk<Sequence, Sampling>[]): Promise<void> {
    const items = chunks.map(toItem)
    this.#ledger.stepped(items.length)
    const abort = new SharedAbort(items.length)
    this.#step = { requests: new Set(chunks.map(({ request }) => request)), abort }
    let settle: (chunk: Chunk<Sequence, Sampling>, index: number) => void
    try {
      const outputs = await this.#engine.step(items, { signal: abort.signal })
      checkOutputs(outputs, items.length)
      settle = ({ request }, index) => this.#advance(request, items[index]!, outputs[index])
    } catch (error) {
      settle = ({ request }) => this.#fail(request, error)
    }
    this.#step = undefined
    for (const [index, chunk] of chunks.entries()) {
      if (chunk.request.ended) this.#close(chunk.request)
      else settle(chunk, index)
    }
  }

  #advance(
    request: ScheduledRequest<Sequence, Sampling>,
    item: StepItem<Sequence, Sampling>,
    token: number | undefined,
  ): void {
    try {
      const prefilled = request.prefilledTokens
      request.commit(item.tokens)
      this.#ledger.counts.prefilledTokens += request.prefilledTokens - prefilled
      if (!item.sample) return
      checkToken(token)
      this.#ledger.counts.generatedTokens += 1
      const finishReason = request.append(token)
      if (finishReason !== undefined) this.#end(request, 'finished', finishReason)
    } catch (error) {
      this.#fail(request, error)
    }
  }

  #unsettled(): ScheduledRequest<Sequence, Sampling>[] {
    const { running, waiting } = this.#planner
    return [...running, ...waiting]
  }

  readonly #abort = (request: ScheduledRequest<Sequence, Sampling>): void => this.#end(request, 'aborted')

  readonly #fail = (request: ScheduledRequest<Sequence, Sampling>, error: unknown): void =>
    this.#leave(request, 'failed', () => request.stream.fail(error))

  #end(
    request: ScheduledRequest<Sequence, Sampling>,
    ending: 'finished' | 'aborted',
    finishReason: 'stop' | 'length' | 'abort' = 'abort',
  ): void {
    this.#leave(request, ending, () => request.stream.end(request.result(finishReason)))
  }

  /** A request settles, once, and leaves; its blocks go back now, or after the step that is writing them. */
  #leave(request: ScheduledRequest<Sequence, Sampling>, ending: Ending, settle: () => void): void {
    if (request.ended) return
    request.ended = true
    this.#ledger.ended(request, ending)
    this.#deadlines.left(request)
    this.#planner.forget(request)
    settle()
    if (this.#step?.requests.has(request)) this.#step.abort.release(new Error('nobody waits for this step'))
    else this.#close(request)
  }

  #close(request: ScheduledRequest<Sequence, Sampling>): void {
    request.sequence?.close()
    request.sequence = undefined
  }
}

function deadlineError({ options, stream, admittedAt }: ScheduledRequest<CachedSequence, unknown>): BioError {
  return new BioError('ERR_BIO_DEADLINE', {
    operation: 'StepScheduler.submit',
    expected: `a result within ${options.deadlineMs} ms`,
    received:
      admittedAt === undefined
        ? 'a request still waiting'
        : `${stream.tokens.length} of at most ${options.maxTokens} tokens`,
  })
}
