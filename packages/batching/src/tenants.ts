import { invalid } from './check.js'

/** Tenants remembered though nothing of theirs waits; beyond so many those without a debt are forgotten. */
const remembered = 1024

/** Whoever shares a batcher or scheduler with others; requests without a tenant share the name ''. */
export interface Tenant {
  readonly name: string
  readonly weight: number
  /** Virtual time: cost served, divided by the weight. Who has the least is served next. */
  served: number
  /** Requests waiting, in all buckets, and their cost. */
  waiting: number
  waitingCost: number
}

/**
 * Shares the runs between tenants by weighted cost: start-time fair queueing (Goyal 1996).
 *
 * A tenant that comes back after a pause starts where the others are: it neither saved up service nor owes any.
 */
export class Tenants {
  readonly #tenants: Map<string, Tenant> = new Map()
  readonly #operation: string
  readonly #weight: (tenant: string) => number
  /** The virtual time of the request served last. */
  #now = 0

  constructor(operation: string, weight: (tenant: string) => number) {
    this.#operation = operation
    this.#weight = weight
  }

  get(name: string): Tenant {
    const known = this.#tenants.get(name)
    if (known !== undefined) return known
    if (this.#tenants.size >= remembered) this.#forget()
    const weight = this.#weight(name)
    if (!(weight > 0 && weight < Infinity))
      throw invalid(this.#operation, `weight('${name}') above 0`, weight)
    const tenant: Tenant = { name, weight, served: this.#now, waiting: 0, waitingCost: 0 }
    this.#tenants.set(name, tenant)
    return tenant
  }

  entered(tenant: Tenant, cost: number): void {
    if (tenant.waiting === 0) tenant.served = Math.max(tenant.served, this.#now)
    tenant.waiting += 1
    tenant.waitingCost += cost
  }

  left(tenant: Tenant, cost: number): void {
    tenant.waiting -= 1
    tenant.waitingCost = tenant.waiting === 0 ? 0 : tenant.waitingCost - cost
  }

  served(tenant: Tenant, cost: number): void {
    this.#now = Math.max(this.#now, tenant.served)
    tenant.served += cost / tenant.weight
  }

  /**
   * Cost that will be served before a new request of `tenant`: its own, and of every other tenant as much as is fair meanwhile.
   */
  costAhead(tenant: Tenant, cost: number): number {
    const ownShare = (tenant.waitingCost + cost) / tenant.weight
    let ahead = tenant.waitingCost
    for (const other of this.#tenants.values())
      if (other !== tenant) ahead += Math.min(other.waitingCost, ownShare * other.weight)
    return ahead
  }

  #forget(): void {
    for (const tenant of this.#tenants.values())
      if (tenant.waiting === 0 && tenant.served <= this.#now) this.#tenants.delete(tenant.name)
  }
}

/**
 * How many of `free` waiting places a tenant may take that holds some already: no more than then are still free, so that alone it takes half
 * of a queue and there is always room for another. Requests without a tenant may take all.
 */
export function placesFor(
  { name }: Tenant,
  { free, held }: { readonly free: number; readonly held: number },
): number {
  return name === '' ? free : Math.floor((free - held + 1) / 2)
}
