import { Company } from './company.js'
import { CostModel } from './cost-model.js'
import type { Tenant, Tenants } from '../tenants.js'
import type { Ticket } from './ticket.js'
import { WaitingLine } from './waiting-line.js'

/** What one batch may hold. */
export interface BatchLimits {
  readonly maxBatchSize: number
  readonly maxBatchCost: number
}

/** Requests that may share a batch: a line for each tenant, and what was learnt of their runs and arrivals. */
export class Bucket<Input, Output> {
  readonly model: CostModel = new CostModel()
  readonly company: Company = new Company()
  readonly #limits: BatchLimits
  readonly #tenants: Tenants
  readonly #lines: Map<Tenant, WaitingLine<Input, Output>> = new Map()
  /** Requests that would miss their deadline even now: they run only when nothing else waits. */
  readonly #late: Set<Ticket<Input, Output>> = new Set()
  #count = 0
  #cost = 0
  /** No later than the first deadline of those that wait. */
  #deadlineAt = Infinity

  constructor(tenants: Tenants, limits: BatchLimits) {
    this.#tenants = tenants
    this.#limits = limits
  }

  /** Requests waiting. */
  get count(): number {
    return this.#count
  }

  get cost(): number {
    return this.#cost
  }

  get isFull(): boolean {
    return this.#count >= this.#limits.maxBatchSize || this.#cost >= this.#limits.maxBatchCost
  }

  add(ticket: Ticket<Input, Output>): void {
    let line = this.#lines.get(ticket.tenant)
    if (line === undefined) this.#lines.set(ticket.tenant, (line = new WaitingLine()))
    line.add(ticket)
    this.#tenants.entered(ticket.tenant, ticket.cost)
    this.#count += 1
    this.#cost += ticket.cost
    this.#deadlineAt = Math.min(this.#deadlineAt, ticket.deadlineAt)
  }

  remove(ticket: Ticket<Input, Output>): void {
    if (!this.#late.delete(ticket)) this.#leaveLine(ticket)
    this.#tenants.left(ticket.tenant, ticket.cost)
    this.#count -= 1
    this.#cost = this.#count === 0 ? 0 : this.#cost - ticket.cost
    if (this.#count === 0) this.#deadlineAt = Infinity
  }

  /** Who is next: the first in line of the tenant served least. */
  first(): Ticket<Input, Output> | undefined {
    let tenant: Tenant | undefined
    for (const candidate of this.#lines.keys())
      if (tenant === undefined || candidate.served < tenant.served) tenant = candidate
    return tenant && this.#lines.get(tenant)!.first()
  }

  /**
   * Takes the next batch out. It is no larger than lets its members meet their deadlines, unless a full one waits: then those who would
   * miss theirs in it give way instead, since smaller runs would make everybody later. Nor does it hold light tenants up for long, those
   * who ask for less than their share of it by a deadline: what others add at most doubles its time. It is empty if the time of all who
   * wait is over; they have then been told.
   */
  take(now: number): Ticket<Input, Output>[] {
    const batch: Ticket<Input, Output>[] = []
    const fullCost = this.isFull ? this.#fullCost(this.#cost / this.#count) : undefined
    const fullMs = fullCost === undefined ? 0 : this.model.predict(fullCost)
    const light = fullCost === undefined || this.#lines.size < 2 ? undefined : this.#lightTenants(fullCost)
    let lightCost = 0
    let cost = 0
    let deadlineAt = Infinity
    for (let next = this.first(); next !== undefined; next = this.first()) {
      if (now + Math.max(fullMs, this.model.predict(next.cost)) > next.deadlineAt) {
        this.#leaveLine(next)
        this.#late.add(next)
        continue
      }
      deadlineAt = Math.min(deadlineAt, next.deadlineAt)
      const fits = this.#fits(batch.length + 1, cost + next.cost)
      const inTime = now + this.model.predict(cost + next.cost) <= deadlineAt
      if (!fits || (batch.length > 0 && fullMs === 0 && !inTime)) break
      if (light?.has(next.tenant) && next.deadlineAt < Infinity) lightCost += next.cost
      else if (lightCost > 0 && this.model.predict(cost + next.cost) > this.#mostMs(lightCost, fullMs)) break
      cost += next.cost
      this.#serve(next, batch)
    }
    if (batch.length > 0) return batch
    for (const late of this.#late) {
      if (late.deadlineAt <= now) {
        late.expire() // though a busy event loop kept the timer from saying so
        continue
      }
      if (!this.#fits(batch.length + 1, cost + late.cost)) break
      cost += late.cost
      this.#serve(late, batch)
    }
    return batch
  }

  /** Where several tenants ask for more than a run: those who wait for less than their weighted share of it. */
  #lightTenants(fullCost: number): ReadonlySet<Tenant> {
    const light = new Set<Tenant>()
    let weights = 0
    for (const { weight } of this.#lines.keys()) weights += weight
    for (const [tenant, line] of this.#lines)
      if (line.cost < (fullCost * tenant.weight) / weights) light.add(tenant)
    return light
  }

  /**
   * Milliseconds of a run that light tenants share: twice their own, and no more than half of what others could add. While all runs were
   * full, it is the latter that makes others, from which the model learns what a small one takes.
   */
  #mostMs(lightCost: number, fullMs: number): number {
    const lightMs = this.model.predict(lightCost)
    return Math.min(2 * lightMs, (lightMs + fullMs) / 2)
  }

  /** From now on a run could start for those that wait, though `concurrency` − 1 others are busy. */
  awaitCompany(moment: 'arrival' | 'end', now: number, concurrency: number): void {
    const savedMs = this.model.predict(this.#cost) / concurrency - this.model.msPerCost * this.#cost
    this.company.await(moment, now, { count: this.#count, savedMs })
  }

  /** Until when to wait for company: in the past if that does not pay, or would cost somebody the deadline. */
  waitUntil(): number {
    const until = this.company.waitUntil(this.#count)
    if (this.#deadlineAt === Infinity) return until
    return Math.min(until, this.#deadlineAt - this.model.predictHigh(this.#cost))
  }

  /** When the one who waits longest arrived. */
  oldestAt(): number {
    let oldestAt = Infinity
    for (const line of this.#lines.values()) oldestAt = Math.min(oldestAt, line.oldestAt())
    for (const late of this.#late) oldestAt = Math.min(oldestAt, late.arrivedAt)
    return oldestAt
  }

  /** Milliseconds of the runs that empty this bucket, if nobody joins. */
  backlogMs(): number {
    const { maxBatchSize, maxBatchCost } = this.#limits
    const batches = Math.max(Math.ceil(this.#count / maxBatchSize), Math.ceil(this.#cost / maxBatchCost))
    return this.model.msPerCost * this.#cost + this.model.fixedMs * batches
  }

  /**
   * What a request of this cost would find that joined behind a `share` of those who wait: full runs before its own, their milliseconds,
   * and the cost of its own, which others will have filled up by then unless it is the first.
   */
  joining(cost: number, share: number): { readonly beforeMs: number; readonly runCost: number } {
    const { maxBatchSize, maxBatchCost } = this.#limits
    const full = this.#fullCost(cost)
    const before = Math.floor(
      Math.max((share * this.#count) / maxBatchSize, (share * this.#cost) / maxBatchCost),
    )
    if (before === 0) return { beforeMs: 0, runCost: Math.min(full, share * this.#cost + cost) }
    return { beforeMs: before * this.model.predict(full), runCost: full }
  }

  /** Cost of a full run of requests like those that wait, and one of this cost. */
  #fullCost(cost: number): number {
    const { maxBatchSize, maxBatchCost } = this.#limits
    return Math.min(maxBatchCost, ((this.#cost + cost) / (this.#count + 1)) * maxBatchSize)
  }

  /** Everyone who waits here. */
  *[Symbol.iterator](): Iterator<Ticket<Input, Output>> {
    for (const line of this.#lines.values()) yield* line
    yield* this.#late
  }

  #fits(count: number, cost: number): boolean {
    return count <= this.#limits.maxBatchSize && cost <= this.#limits.maxBatchCost
  }

  #serve(ticket: Ticket<Input, Output>, batch: Ticket<Input, Output>[]): void {
    this.remove(ticket)
    this.#tenants.served(ticket.tenant, ticket.cost)
    batch.push(ticket)
  }

  #leaveLine(ticket: Ticket<Input, Output>): void {
    const line = this.#lines.get(ticket.tenant)!
    line.remove(ticket)
    if (line.isEmpty) this.#lines.delete(ticket.tenant)
  }
}
