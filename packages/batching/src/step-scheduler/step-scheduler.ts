import { checkCount } from '../check.js'
import { Drain, type DrainOptions } from '../drain.js'
import { MovingAverage } from '../moving-average.js'
import { onAbort } from '../on-abort.js'
import { QueueFullError } from '../queue-full-error.js'
import { SharedAbort } from '../shared-abort.js'
import type { CachedSequence, SequenceCache, StepEngine, StepItem } from './contract.js'
import { checkRequest, type Generation, type GenerationRequest } from './generation.js'
import { ScheduledRequest } from './scheduled-request.js'
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
}

/**
 * Continuous batching: every step is planned anew, so requests join and leave between any two tokens.
 *
 * A step holds all decodes and fills its budget with chunks of prefill. Requests are admitted by arrival while the cache has blocks;
 * when it runs out, the latest is preempted and recomputed. Requests that share a prefix with one being prefilled wait for it, so that it
 * is computed once. Given an engine whose rows do not depend on the batch, the tokens of a request depend on nothing but the request.
 *
 * After Orca (OSDI'22) and vLLM v1's scheduler; departures: a whole prompt is reserved at admission, and the queue is bounded.
 *
 * @throws ERR_BIO_CONFIG for sizes below 1, or a budget below `maxSequences`
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
  readonly #limits: { readonly maxSequences: number; readonly maxQueue: number }
  readonly #planner: StepPlanner<Sequence, Sampling>
  readonly #drain: Drain = new Drain('StepScheduler', () => !this.#looping)
  readonly #counts = {
    submitted: 0,
    finished: 0,
    aborted: 0,
    failed: 0,
    rejected: 0,
    steps: 0,
    prefilledTokens: 0,
    generatedTokens: 0,
  }
  readonly #residenceMs: MovingAverage = new MovingAverage()
  #items = 0
  #looping = false
  /** The step in flight: its requests keep their blocks until it ends, even if they are gone. */
  #step: { readonly requests: ReadonlySet<unknown>; readonly abort: SharedAbort } | undefined
  #nextId = 0

  constructor(options: StepSchedulerOptions<Sequence, Sampling>) {
    const { engine, cache, maxTokensPerStep, maxSequences, maxQueue = 1024 } = options
    checkCount('StepScheduler', 'maxSequences', maxSequences)
    checkCount('StepScheduler', 'maxTokensPerStep', maxTokensPerStep, maxSequences)
    checkCount('StepScheduler', 'maxQueue', maxQueue)
    checkCount('StepScheduler', 'cache.blockTokens', cache.blockTokens)
    this.#engine = engine
    this.#limits = { maxSequences, maxQueue }
    this.#planner = new StepPlanner(cache, { maxTokensPerStep, maxSequences }, this.#fail)
  }

  /**
   * Accepts a request and returns its tokens as they come.
   *
   * @throws ERR_BIO_CONFIG (empty prompt, bad `maxTokens`), ERR_BIO_QUEUE_FULL (a `QueueFullError`), ERR_BIO_CLOSED (after `drain`);
   * what goes wrong later rejects the generation's `result`
   */
  submit(options: GenerationRequest<Sampling>): Generation {
    checkRequest(options)
    this.#drain.checkOpen()
    const { waiting } = this.#planner
    if (waiting.length >= this.#limits.maxQueue) {
      this.#counts.rejected += 1
      throw new QueueFullError('StepScheduler.submit', {
        expected: `fewer than ${this.#limits.maxQueue} waiting requests`,
        retryAfterMs: (waiting.length / this.#limits.maxSequences) * (this.#residenceMs.value ?? 0),
      })
    }
    const abort = (): void => this.#end(request, 'aborted')
    const request = new ScheduledRequest<Sequence, Sampling>(this.#nextId++, options, abort)
    this.#counts.submitted += 1
    const { signal } = options
    if (signal?.aborted) {
      abort()
      return request.stream
    }
    if (signal !== undefined) {
      const forget = onAbort(signal, abort)
      request.stream.result.then(forget, forget)
    }
    waiting.push(request)
    if (!this.#looping) void this.#loop()
    return request.stream
  }

  /**
   * Takes no more requests, finishes those accepted and resolves when their blocks are back. After `timeoutMs` it rejects the rest with
   * ERR_BIO_CLOSED and aborts the step in flight, whose blocks go back when the engine returns.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    await this.#drain.close(options, (error) => {
      const { running, waiting } = this.#planner
      for (const request of [...running, ...waiting]) this.#fail(request, error)
    })
  }

  /** `drain()` with its default timeout. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  /** Counts since construction. */
  stats(): SchedulerStats {
    const { waiting, running, preemptions, cachedTokens } = this.#planner
    const { steps } = this.#counts
    return {
      ...this.#counts,
      waiting: waiting.length,
      running: running.length,
      preemptions,
      cachedTokens,
      occupancy: steps === 0 ? 0 : this.#items / (steps * this.#limits.maxSequences),
    }
  }

  async #loop(): Promise<void> {
    this.#looping = true
    const { waiting, running } = this.#planner
    while (waiting.length + running.length > 0) {
      // One turn of the event loop: what arrives together starts together, and aborts are heard between steps.
      await new Promise(setImmediate)
      const chunks = this.#planner.plan()
      if (chunks.length > 0) await this.#runStep(chunks)
    }
    this.#looping = false
    this.#drain.notify()
  }

  async #runStep(chunks: readonly Chunk<Sequence, Sampling>[]): Promise<void> {
    const items = chunks.map(toItem)
    this.#counts.steps += 1
    this.#items += items.length
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
      this.#counts.prefilledTokens += request.prefilledTokens - prefilled
      if (!item.sample) return
      checkToken(token)
      this.#counts.generatedTokens += 1
      const finishReason = request.append(token)
      if (finishReason !== undefined) this.#end(request, 'finished', finishReason)
    } catch (error) {
      this.#fail(request, error)
    }
  }

  readonly #fail = (request: ScheduledRequest<Sequence, Sampling>, error: unknown): void =>
    this.#leave(request, 'failed', () => request.stream.fail(error))

  #end(
    request: ScheduledRequest<Sequence, Sampling>,
    count: 'finished' | 'aborted',
    finishReason: 'stop' | 'length' | 'abort' = 'abort',
  ): void {
    this.#leave(request, count, () => request.stream.end(request.result(finishReason)))
  }

  /** A request settles, once, and leaves; its blocks go back now, or after the step that is writing them. */
  #leave(
    request: ScheduledRequest<Sequence, Sampling>,
    count: 'finished' | 'aborted' | 'failed',
    settle: () => void,
  ): void {
    if (request.ended) return
    request.ended = true
    this.#counts[count] += 1
    if (count === 'finished' && request.admittedAt !== undefined)
      this.#residenceMs.add(performance.now() - request.admittedAt)
    this.#planner.remove(request)
    settle()
    if (this.#step?.requests.has(request)) this.#step.abort.release(new Error('nobody waits for this step'))
    else this.#close(request)
  }

  #close(request: ScheduledRequest<Sequence, Sampling>): void {
    request.sequence?.close()
    request.sequence = undefined
  }
}
