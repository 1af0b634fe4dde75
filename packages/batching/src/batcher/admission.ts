import { QueueFullError } from '../queue-full-error.js'
import { placesFor } from '../tenants.js'
import type { Attempt } from './attempt.js'
import type { Caution } from './caution.js'
import type { TicketFields } from './ticket.js'
import type { WaitingRoom } from './waiting-room.js'

/** How much may wait. */
export interface QueueLimits {
  readonly maxQueue: number
  readonly maxQueueBytes: number
  readonly maxQueueMs: number
  readonly concurrency: number
}

/** Refuses, with the time after which to come back, what the queue has no room or no time for. */
export class Admission<Input, Output> {
  readonly #room: WaitingRoom<Input, Output>
  readonly #limits: QueueLimits
  /** The first attempts of the batches that run now. */
  readonly #running: ReadonlySet<Attempt<Input, Output>>
  readonly #caution: Caution

  constructor(
    room: WaitingRoom<Input, Output>,
    limits: QueueLimits,
    running: ReadonlySet<Attempt<Input, Output>>,
    caution: Caution,
  ) {
    this.#room = room
    this.#limits = limits
    this.#running = running
    this.#caution = caution
  }

  /** @throws QueueFullError */
  check(request: TicketFields<Input, Output>, deadlineMs: number | undefined): void {
    const { maxQueue, maxQueueBytes, maxQueueMs, concurrency } = this.#limits
    const { count, bytes } = this.#room
    const { bucket, tenant } = request
    if (placesFor(tenant, { free: maxQueue - count, held: tenant.waiting }) < 1)
      throw full(
        `fewer than ${maxQueue} waiting requests, and of one tenant fewer than places left`,
        this.#forecast(request),
      )
    if (bytes + request.bytes > maxQueueBytes)
      throw full(
        `at most ${maxQueueBytes} bytes waiting, ${request.bytes} of them its own`,
        this.#forecast(request),
      )
    if (deadlineMs === undefined && maxQueueMs === Infinity) return
    if (count === 0 && this.#running.size < concurrency) return // however slow the last run was, this one can start now
    const forecast = this.#forecast(request)
    const { waitMs, runCost, behindFullRun } = forecast
    if (waitMs > maxQueueMs) throw full(`a wait of at most ${maxQueueMs} ms`, forecast)
    if (deadlineMs === undefined) return
    const runMs = bucket.model.predict(runCost)
    // Caution never keeps the next run from filling up: that would break no fewer promises, and answer fewer requests.
    const cautionMs = behindFullRun ? this.#caution.runs * runMs : 0
    if (waitMs + runMs + cautionMs <= deadlineMs) return
    if (waitMs + runMs <= deadlineMs) this.#caution.refused(request.arrivedAt + deadlineMs - runMs)
    throw full(`a result within ${deadlineMs} ms`, forecast)
  }

  /** When the run of this request would start, by the pace so far and its tenant's fair share, and what that run would cost. */
  #forecast({ bucket, tenant, cost, arrivedAt }: TicketFields<Input, Output>): Forecast {
    let othersMs = 0
    let waitingCost = 0
    for (const occupied of this.#room.occupied()) {
      if (occupied !== bucket) othersMs += occupied.backlogMs()
      waitingCost += occupied.cost
    }
    const share = waitingCost === 0 ? 0 : this.#room.tenants.costAhead(tenant, cost) / waitingCost
    const { beforeMs, runCost } = bucket.joining(cost, share)
    const waitMs = this.#freeInMs(arrivedAt) + (beforeMs + othersMs * share) / this.#limits.concurrency
    return { waitMs, runCost, behindFullRun: beforeMs > 0 }
  }

  /** Milliseconds until the first of the runs ends, by what such runs took. */
  #freeInMs(now: number): number {
    if (this.#running.size < this.#limits.concurrency) return 0
    let soonest = Infinity
    for (const { tickets, cost, startedAt } of this.#running)
      soonest = Math.min(soonest, startedAt + tickets[0]!.bucket.model.predict(cost) - now)
    return Math.max(0, soonest)
  }
}

interface Forecast {
  readonly waitMs: number
  readonly runCost: number
  readonly behindFullRun: boolean
}

function full(expected: string, { waitMs }: Forecast): QueueFullError {
  return new QueueFullError('Batcher.submit', { expected, retryAfterMs: waitMs })
}
