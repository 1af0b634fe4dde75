import { QueueFullError } from '../queue-full-error.js'
import type { Attempt } from './attempt.js'
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

  constructor(
    room: WaitingRoom<Input, Output>,
    limits: QueueLimits,
    running: ReadonlySet<Attempt<Input, Output>>,
  ) {
    this.#room = room
    this.#limits = limits
    this.#running = running
  }

  /**
   * A named tenant may hold as many places as are still free: alone it takes half of the queue, and there is always room for another.
   *
   * @throws QueueFullError
   */
  check(request: TicketFields<Input, Output>, deadlineMs: number | undefined): void {
    const { maxQueue, maxQueueBytes, maxQueueMs, concurrency } = this.#limits
    const { count, bytes } = this.#room
    const { bucket, tenant } = request
    if (count >= maxQueue || (tenant.name !== '' && tenant.waiting >= maxQueue - count))
      throw this.#full(
        request,
        `fewer than ${maxQueue} waiting requests, and of one tenant fewer than places left`,
      )
    if (bytes + request.bytes > maxQueueBytes)
      throw this.#full(request, `at most ${maxQueueBytes} bytes waiting, ${request.bytes} of them its own`)
    if (deadlineMs === undefined && maxQueueMs === Infinity) return
    if (count === 0 && this.#running.size < concurrency) return // however slow the last run was, this one can start now
    const { waitMs, runCost } = this.#forecast(request)
    if (waitMs > maxQueueMs) throw this.#full(request, `a wait of at most ${maxQueueMs} ms`)
    if (deadlineMs !== undefined && waitMs + bucket.model.predictHigh(runCost, waitMs) > deadlineMs)
      throw this.#full(request, `a result within ${deadlineMs} ms`)
  }

  /** When the run of this request would start, by the pace so far and its tenant's fair share, and what that run would cost. */
  #forecast({ bucket, tenant, cost }: TicketFields<Input, Output>): {
    readonly waitMs: number
    readonly runCost: number
  } {
    let othersMs = 0
    let waitingCost = 0
    for (const occupied of this.#room.occupied()) {
      if (occupied !== bucket) othersMs += occupied.backlogMs()
      waitingCost += occupied.cost
    }
    const share = waitingCost === 0 ? 0 : this.#room.tenants.costAhead(tenant, cost) / waitingCost
    const { beforeMs, runCost } = bucket.joining(cost, share)
    const waitMs = this.#freeInMs() + (beforeMs + othersMs * share) / this.#limits.concurrency
    return { waitMs, runCost }
  }

  /** Milliseconds until the first of the runs ends, by what such runs took. */
  #freeInMs(): number {
    if (this.#running.size < this.#limits.concurrency) return 0
    const now = performance.now()
    let soonest = Infinity
    for (const { tickets, cost, startedAt } of this.#running)
      soonest = Math.min(soonest, startedAt + tickets[0]!.bucket.model.predict(cost) - now)
    return Math.max(0, soonest)
  }

  #full(request: TicketFields<Input, Output>, expected: string): QueueFullError {
    return new QueueFullError('Batcher.submit', { expected, retryAfterMs: this.#forecast(request).waitMs })
  }
}
