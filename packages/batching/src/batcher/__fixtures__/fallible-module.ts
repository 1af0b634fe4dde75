import { BioError } from '@bio/errors'
import type { RunFunction } from '../../runner/function-runner.js'
import type { Accident, Nature, Schedule } from './random-schedule.js'

/** One request as the test knows it. */
export interface Request {
  readonly id: number
  readonly name: string
  readonly nature: Nature
  readonly bucket: number
  readonly cost: number
  readonly tenant: string
  readonly priority: number
  readonly deadlineMs: number | undefined
  readonly arrivedAt: number
  readonly controller: AbortController
  /** Runs that it was in. */
  runs: number
  /** Whether it may fail though it is healthy: a run failed that was not idempotent, or that it was alone in. */
  excused: boolean
}

interface Call {
  readonly requests: readonly Request[]
  readonly resolve: (outputs: (number | Error)[]) => void
  readonly reject: (error: Error) => void
  /** Of this module, for this call. */
  readonly timers: ReturnType<typeof setTimeout>[]
}

export const outputOf = (request: Request): number => 1000 + request.id

/** The batched function of the schedules: it fails as its inputs and its accidents say, and checks what a batcher promises about runs. */
export class FallibleModule {
  readonly running: Set<Call> = new Set()
  /** Promises broken by the batcher: a throw here would only fail requests. */
  readonly broken: Set<string> = new Set()
  /** When a drain gives up. */
  givesUpAt: number = Infinity
  /** When a run ended last. */
  lastEndAt: number = -Infinity
  readonly run: RunFunction<Request, number> = (requests, { signal }) => this.#run(requests, signal)
  readonly #options: Schedule['options']
  readonly #random: () => number
  readonly #last: Map<string, number> = new Map()

  constructor(options: Schedule['options'], random: () => number) {
    this.#options = options
    this.#random = random
  }

  demand(promise: string, kept: boolean): void {
    if (!kept) this.broken.add(promise)
  }

  #run(requests: readonly Request[], signal: AbortSignal): Promise<(number | Error)[]> {
    this.#checkStart(requests)
    const { runTimeoutMs } = this.#options
    return new Promise((resolve, reject) => {
      const call: Call = { requests, resolve, reject, timers: [] }
      this.running.add(call)
      signal.addEventListener('abort', () => {
        const timedOut = signal.reason?.code === 'ERR_BIO_RUN_TIMEOUT'
        this.demand('no run is aborted that somebody wants', timedOut || requests.every((one) => this.#mayWithdraw(one)))
      })
      if (runTimeoutMs !== undefined) call.timers.push(setTimeout(() => this.#timeOut(call), runTimeoutMs))
      const choice = this.#random()
      if (choice < 0.3) this.end(call, 'none')
      else if (choice < 0.6)
        call.timers.push(setTimeout(() => this.end(call, 'none'), Math.floor(30 * this.#random())))
    })
  }

  /** Ends a run as its inputs say, or by accident; a run with a hanging input ends by accident only. */
  end(call: Call, accident: Accident): void {
    const natures = new Set(call.requests.map(({ nature }) => nature))
    if (!this.running.has(call) || (accident === 'none' && natures.has('hang'))) return
    this.#remove(call)
    if (accident !== 'none') {
      this.#excuse(call, accident === 'no worker')
      return call.reject(accidents[accident]())
    }
    const failure = (['throw', 'crash', 'wrong count', 'all NaN'] as const).find((one) => natures.has(one))
    if (failure !== undefined && !this.#options.idempotent) this.#excuse(call, true)
    if (failure === 'throw') call.reject(new Error('poison'))
    else if (failure === 'crash') call.reject(accidents.kill())
    else if (failure === 'wrong count') call.resolve(call.requests.slice(1).map(outputOf))
    else call.resolve(call.requests.map((request) => this.#output(request, failure === 'all NaN')))
  }

  #output(request: Request, spoilt: boolean): number | Error {
    if (request.nature === 'item error') return new Error('item')
    return spoilt || request.nature === 'NaN' ? Number.NaN : outputOf(request)
  }

  /** The batcher waits no longer, whatever this run does now. */
  #timeOut(call: Call): void {
    if (!this.running.has(call)) return
    this.#remove(call)
    this.#excuse(call, false)
  }

  #remove(call: Call): void {
    this.running.delete(call)
    this.lastEndAt = performance.now()
    for (const timer of call.timers) clearTimeout(timer)
  }

  #excuse({ requests }: Call, everyone: boolean): void {
    if (everyone || requests.length === 1 || !this.#options.idempotent)
      for (const request of requests) request.excused = true
  }

  #checkStart(requests: readonly Request[]): void {
    const { maxBatchSize, maxBatchCost, concurrency, idempotent } = this.#options
    const cost = requests.reduce((sum, request) => sum + request.cost, 0)
    this.demand('a run has requests', requests.length > 0)
    this.demand('a run is within maxBatchSize', requests.length <= maxBatchSize)
    this.demand('a run is within maxBatchCost', cost <= maxBatchCost)
    this.demand('runs are within concurrency', this.running.size < concurrency)
    this.demand('a run has one bucket', new Set(requests.map(({ bucket }) => bucket)).size === 1)
    for (const request of requests) {
      this.demand('nobody who withdrew runs', !this.#hasWithdrawn(request))
      const mostRuns = idempotent ? 2 + Math.ceil(Math.log2(maxBatchSize)) : 1
      this.demand('runs of one request are few; one without idempotence', ++request.runs <= mostRuns)
      if (request.runs === 1 && request.deadlineMs === undefined) this.#checkOrder(request)
    }
  }

  #checkOrder({ id, tenant, bucket, priority }: Request): void {
    const peers = `${tenant} ${bucket} ${priority}`
    this.demand('equals go in the order of their arrival', id > (this.#last.get(peers) ?? -1))
    this.#last.set(peers, id)
  }

  /** What is due this very millisecond may or may not have happened yet. */
  #mayWithdraw(request: Request): boolean {
    return this.#hasWithdrawn(request) || performance.now() >= Math.min(dueAt(request), this.givesUpAt)
  }

  #hasWithdrawn(request: Request): boolean {
    const now = performance.now()
    return request.controller.signal.aborted || now > Math.min(dueAt(request), this.givesUpAt)
  }
}

function dueAt({ arrivedAt, deadlineMs = Infinity }: Request): number {
  return arrivedAt + deadlineMs
}

const accidents = {
  throw: () => new Error('accident'),
  kill: () => workerError('ERR_BIO_WORKER_CRASHED'),
  'no worker': () => workerError('ERR_BIO_WORKER_START'),
}

function workerError(code: string): BioError {
  return new BioError(code, { operation: 'test', expected: 'a worker', received: 'none' })
}
