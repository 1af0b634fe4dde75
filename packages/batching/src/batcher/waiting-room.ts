import { Bucket, type BatchLimits } from './bucket.js'
import { Tenants } from '../tenants.js'
import type { Ticket } from './ticket.js'

/** Buckets remembered though nothing waits in them; beyond so many the oldest forget what they learnt. */
const remembered = 256

/** Everything that waits: buckets, and the fairness between tenants across them. */
export class WaitingRoom<Input, Output> {
  readonly tenants: Tenants
  readonly #limits: BatchLimits
  readonly #buckets: Map<string | number | undefined, Bucket<Input, Output>> = new Map()
  #count = 0
  #bytes = 0

  constructor(limits: BatchLimits & { readonly weight: (tenant: string) => number }) {
    this.#limits = limits
    this.tenants = new Tenants('Batcher', limits.weight)
  }

  /** Requests waiting. */
  get count(): number {
    return this.#count
  }

  /** Bytes waiting, as the caller counts them. */
  get bytes(): number {
    return this.#bytes
  }

  bucket(key: string | number | undefined): Bucket<Input, Output> {
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    if (this.#buckets.size >= remembered) this.#forget()
    const bucket = new Bucket<Input, Output>(this.tenants, this.#limits)
    this.#buckets.set(key, bucket)
    return bucket
  }

  add(ticket: Ticket<Input, Output>): void {
    ticket.bucket.add(ticket)
    this.#count += 1
    this.#bytes += ticket.bytes
  }

  remove(ticket: Ticket<Input, Output>): void {
    ticket.bucket.remove(ticket)
    this.#left(ticket)
  }

  /** Takes the next batch of a bucket out; nobody whose time is over is in it. */
  take(bucket: Bucket<Input, Output>, now: number): Ticket<Input, Output>[] {
    const batch = bucket.take(now)
    for (const ticket of batch) this.#left(ticket)
    return batch
  }

  /** Of the buckets in which somebody waits and that satisfy `isDue`, the one whose tenant, then whose request, is next. */
  next(isDue: (bucket: Bucket<Input, Output>) => boolean): Bucket<Input, Output> | undefined {
    let next:
      | { readonly bucket: Bucket<Input, Output>; readonly served: number; readonly turn: number }
      | undefined
    for (const bucket of this.occupied()) {
      if (!isDue(bucket)) continue
      const first = bucket.first()
      const served = first?.tenant.served ?? Infinity
      const turn = first?.turn ?? Infinity
      if (next === undefined || served < next.served || (served === next.served && turn < next.turn))
        next = { bucket, served, turn }
    }
    return next?.bucket
  }

  /** The buckets in which somebody waits. */
  occupied(): Bucket<Input, Output>[] {
    const occupied: Bucket<Input, Output>[] = []
    for (const bucket of this.#buckets.values()) if (bucket.count > 0) occupied.push(bucket)
    return occupied
  }

  /** Everyone who waits. */
  *tickets(): Iterable<Ticket<Input, Output>> {
    for (const bucket of this.occupied()) yield* bucket
  }

  #left(ticket: Ticket<Input, Output>): void {
    this.#count -= 1
    this.#bytes -= ticket.bytes
  }

  #forget(): void {
    for (const [key, bucket] of this.#buckets)
      if (bucket.count === 0) {
        this.#buckets.delete(key)
        return
      }
  }
}
