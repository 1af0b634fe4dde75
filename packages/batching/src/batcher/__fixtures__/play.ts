import { vi } from 'vitest'
import { Batcher } from '../batcher.js'
import type { BatcherStats } from '../batcher-stats.js'
import { refuseNaN } from '../refuse-nan.js'
import { generator } from './generator.js'
import { FallibleModule, outputOf, type Request } from './fallible-module.js'
import type { Schedule, ScheduleEvent } from './random-schedule.js'

/** How a request ended, by the count that it belongs to; 'refused' belongs to none. */
type End = 'completed' | 'failed' | 'cancelled' | 'expired' | 'rejected' | 'refused'

/** What `play` saw, so that a test can tell that the interesting cases occurred. */
export interface Played {
  /** Promises that the batcher broke. */
  readonly broken: readonly string[]
  readonly stats: BatcherStats
  /** Rejections by code. */
  readonly codes: Readonly<Record<string, number>>
}

/** Plays a schedule under fake time against a model of what may happen to each request, and drains. */
export async function play({ options, events, seed }: Schedule): Promise<Played> {
  const played = new Play(options, seed)
  for (const event of events) await played.apply(event)
  await played.finish()
  return { broken: [...played.module.broken], stats: played.batcher.stats(), codes: played.codes }
}

class Play {
  readonly module: FallibleModule
  readonly batcher: Batcher<Request, number>
  readonly codes: Record<string, number> = {}
  readonly #options: Schedule['options']
  readonly #random: () => number
  readonly #requests: Request[] = []
  readonly #ends: Map<Request, End> = new Map()
  readonly #failures: Map<string, number> = new Map()
  readonly #quarantined: Set<string> = new Set()
  #draining = false
  readonly #foreignTimers: number = vi.getTimerCount() // fast-check has some of its own
  /** Whether a run could start, as far as that is known: only until something happens. */
  #free = false

  constructor(options: Schedule['options'], seed: number) {
    this.#options = options
    this.#random = generator(seed)
    this.module = new FallibleModule(options, this.#random)
    const { maxWaitMs, runTimeoutMs, quarantineAfter, ...limits } = options
    this.batcher = new Batcher<Request, number>({
      ...limits,
      ...(maxWaitMs === undefined ? {} : { maxWaitMs }),
      ...(runTimeoutMs === undefined ? {} : { runTimeoutMs }),
      run: this.module.run,
      cost: ({ cost }) => cost,
      bucket: ({ bucket }) => bucket,
      check: refuseNaN,
      quarantine: { identify: ({ name }) => name, after: quarantineAfter, forMs: 100 },
    })
  }

  async apply(event: ScheduleEvent): Promise<void> {
    const free = this.#free
    this.#free = false
    if (event.type === 'submit') this.#submit(event, free)
    else if (event.type === 'advance') await vi.advanceTimersByTimeAsync(event.ms)
    else if (event.type === 'abort') this.#abort(event.pick)
    else if (event.type === 'drain') void this.#drain(event.timeoutMs)
    else {
      const running = [...this.module.running]
      if (running.length > 0) this.module.end(running[event.pick % running.length]!, event.accident)
    }
    if (this.#random() < 0.8) await this.#settle() // else the next event comes in the same turn
  }

  /** Drains, with every run that can end ended. */
  async finish(): Promise<void> {
    await this.#settle()
    let drained = false
    void this.#drain(500).then(() => (drained = true))
    for (let turn = 0; turn < 50 && this.module.running.size > 0; turn++) {
      for (const call of this.module.running) this.module.end(call, 'none')
      await this.#settle()
    }
    await vi.advanceTimersByTimeAsync(1) // what was to start at the end of the turn finds nothing left
    const done = drained
    await vi.advanceTimersByTimeAsync(1) // the turn in which the last run started has ended
    this.#checkTimers(done)
    await vi.advanceTimersByTimeAsync(1000) // where a run hangs, this drain gives up, and any that was begun before
    await this.#settle()
    this.#checkTimers(true)
    this.module.demand('a drain ends in time', drained)
    this.module.demand('every request settles', this.#ends.size === this.#requests.length)
  }

  /** Nothing waits for a deadline, for company or for a run once all is done. */
  #checkTimers(done: boolean): void {
    this.module.demand('no timer is left behind', !done || vi.getTimerCount() <= this.#foreignTimers)
  }

  #submit(
    { name, deadlineMs, ...fields }: Extract<ScheduleEvent, { type: 'submit' }>,
    free: boolean,
  ): void {
    const before = this.batcher.stats()
    const request: Request = {
      ...fields,
      deadlineMs,
      name: `${fields.nature} ${name}`,
      id: this.#requests.length,
      arrivedAt: performance.now(),
      controller: new AbortController(),
      runs: 0,
      excused: false,
    }
    this.#requests.push(request)
    const closed = this.#draining
    const full = before.queued >= this.#options.maxQueue && !closed
    const mayBeFull = full || deadlineMs !== undefined || fields.tenant !== ''
    const { signal } = request.controller
    const { tenant, priority } = fields
    this.batcher
      .submit(request, { signal, tenant, priority, ...(deadlineMs === undefined ? {} : { deadlineMs }) })
      .then(
        (output) => {
          this.module.demand('a full queue refuses', !full)
          this.module.demand('an output is its own', output === outputOf(request))
          this.module.demand('poison never succeeds', request.nature === 'healthy')
          this.#end(request, 'completed')
        },
        (error: Error & { code?: string }) => {
          const code = error === signal.reason ? 'aborted' : (error.code ?? error.message)
          this.codes[code] = (this.codes[code] ?? 0) + 1
          if (code === 'ERR_BIO_QUEUE_FULL')
            this.module.demand('no refusal without need', mayBeFull && !(before.queued === 0 && free))
          else this.module.demand('a full queue refuses', !full || code === 'ERR_BIO_QUARANTINED')
          this.#end(request, this.#judge(request, code, closed))
        },
      )
  }

  /** To which count a rejection belongs, and whether it was due. */
  #judge(request: Request, code: string, closed: boolean): End {
    const { module } = this
    const now = performance.now()
    switch (code) {
      case 'aborted':
        return 'cancelled'
      case 'ERR_BIO_DEADLINE':
        module.demand('no deadline comes early', now >= request.arrivedAt + (request.deadlineMs ?? Infinity))
        return 'expired'
      case 'ERR_BIO_QUEUE_FULL':
        return 'rejected'
      case 'ERR_BIO_QUARANTINED':
        this.#quarantined.add(request.name)
        return 'rejected'
      case 'ERR_BIO_CLOSED':
        if (closed) return 'refused'
        module.demand('no drain gives up early', now >= module.givesUpAt)
        return 'failed'
      default:
        module.demand('the healthy succeed', request.nature !== 'healthy' || request.excused)
        this.#failures.set(request.name, (this.#failures.get(request.name) ?? 0) + 1)
        return 'failed'
    }
  }

  #end(request: Request, end: End): void {
    this.#ends.set(request, end)
    // What callers do in answer comes in the middle of the batcher's own work.
    if (this.#random() < 0.1) this.#abort(Math.floor(1000 * this.#random()))
  }

  #abort(pick: number): void {
    this.#requests[pick % this.#requests.length]?.controller.abort(new Error('aborted'))
  }

  #drain(timeoutMs: number): Promise<void> {
    this.#draining = true
    this.module.givesUpAt = Math.min(this.module.givesUpAt, performance.now() + timeoutMs)
    return this.batcher.drain({ timeoutMs })
  }

  /** Lets everything happen that is due, then compares the ledgers. */
  async #settle(): Promise<void> {
    await vi.advanceTimersByTimeAsync(0)
    const stats = this.batcher.stats()
    const count = (end: End): number => [...this.#ends.values()].filter((one) => one === end).length
    const unsettled = this.#requests.filter((request) => !this.#ends.has(request))
    for (const end of ['completed', 'failed', 'cancelled', 'expired', 'rejected'] as const)
      this.module.demand(`the ledger counts ${end}`, stats[end] === count(end))
    this.module.demand(
      'the ledger counts queued',
      stats.queued === unsettled.filter(({ runs }) => runs === 0).length,
    )
    this.module.demand(
      'the ledger counts running',
      stats.running === unsettled.filter(({ runs }) => runs > 0).length,
    )
    this.module.demand(
      'the ledger adds up',
      stats.submitted + count('rejected') + count('refused') === this.#requests.length,
    )
    for (const name of this.#quarantined)
      this.module.demand(
        'only repeat offenders are in quarantine',
        (this.#failures.get(name) ?? 0) >= this.#options.quarantineAfter,
      )
    this.#checkWaits(unsettled)
    this.#free = this.module.running.size < this.#options.concurrency && !this.#draining
  }

  #checkWaits(unsettled: readonly Request[]): void {
    const { concurrency, maxWaitMs } = this.#options
    const now = performance.now()
    // What starts at the end of this turn starts a millisecond later under fake time.
    if (this.module.running.size >= concurrency || now - this.module.lastEndAt < 1) return
    for (const { runs, arrivedAt } of unsettled)
      if (runs === 0) {
        this.module.demand('nobody waits longer than maxWaitMs', now - arrivedAt <= (maxWaitMs ?? Infinity))
        this.module.demand('nobody waits in a drain while a run is free', !this.#draining)
      }
  }
}
