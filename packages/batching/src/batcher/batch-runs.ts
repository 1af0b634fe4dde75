import { BioError, isBioError } from '@bio/errors'
import { describe } from '../check.js'
import type { BatchOutputs, Runner } from '../runner/runner.js'
import { Attempt } from './attempt.js'
import type { BatcherLedger } from './batcher-ledger.js'
import type { Quarantine } from './quarantine.js'
import type { Ticket } from './ticket.js'

/** A request whose failure may be the fault of another in its run. */
interface Suspect<Input, Output> {
  readonly ticket: Ticket<Input, Output>
  readonly error: unknown
}

/** What came of a call of `run`: one output per input, or what it threw. */
type Outcome<Output> =
  | { readonly outputs: BatchOutputs<Output>; readonly error?: undefined }
  | { readonly outputs?: undefined; readonly error: unknown }

/** How batches are run. */
export interface BatchRunsOptions<Input, Output> {
  readonly runner: Runner<Input, Output>
  readonly ledger: BatcherLedger
  /** Whether requests may run again to find out which of them fails. */
  readonly idempotent: boolean
  /** Throws for an output that will not do. */
  readonly check: ((output: Output, input: Input) => void) | undefined
  readonly quarantine: Quarantine<Input> | undefined
  readonly resolve: (ticket: Ticket<Input, Output>, output: Output) => void
  readonly reject: (ticket: Ticket<Input, Output>, error: unknown) => void
  /** Everyone in a batch has settled, a moment ago: nobody has seen that yet, unless some of them had to run again. */
  readonly settled: (batch: Attempt<Input, Output>) => void
}

/**
 * Runs batches and settles their requests, so that one failure is one failure: where runs are idempotent, a failed batch is halved until
 * those who fail on their own are found; k of n cost at most 2k·log2 n + 1 more runs, and all others succeed.
 */
export class BatchRuns<Input, Output> {
  readonly #options: BatchRunsOptions<Input, Output>

  constructor(options: BatchRunsOptions<Input, Output>) {
    this.#options = options
  }

  /** Runs a batch and settles everyone in it; never throws. */
  async run(first: Attempt<Input, Output>): Promise<void> {
    const suspects = this.#settle(first, await this.#call(first))
    if (suspects.length > 0) await this.#isolate(suspects, first.tickets.length)
    this.#options.settled(first)
  }

  /** Settles suspects out of a run of `size`. */
  async #isolate(suspects: readonly Suspect<Input, Output>[], size: number): Promise<void> {
    const anyAtFault = !suspects.some(({ error }) => neverRan(error))
    if (suspects.length > 1 && this.#options.idempotent && anyAtFault)
      return this.#bisect(suspects.map(({ ticket }) => ticket))
    const identified = anyAtFault && (suspects.length === 1 || suspects.length < size)
    for (const { ticket, error } of suspects) {
      if (identified && !ticket.settled) this.#options.quarantine?.offend(ticket.name)
      this.#options.reject(ticket, error)
    }
  }

  /** Settles requests of whom at least one makes their common run fail. */
  async #bisect(tickets: readonly Ticket<Input, Output>[]): Promise<void> {
    const half = tickets.length >> 1
    const left = tickets.slice(0, half)
    const right = tickets.slice(half)
    const leftIsFine = await this.#again(left)
    // If the left half is fine, the fault is in the right: no need to see that fail as a whole.
    if (leftIsFine && right.length > 1) await this.#bisect(right)
    else await this.#again(right)
  }

  /** Runs and settles these again; true if all was well. */
  async #again(tickets: readonly Ticket<Input, Output>[]): Promise<boolean> {
    const wanted = tickets.filter(({ settled }) => !settled)
    if (wanted.length === 0) return true
    this.#options.ledger.counts.bisections += 1
    const attempt = new Attempt(wanted)
    const suspects = this.#settle(attempt, await this.#call(attempt))
    await this.#isolate(suspects, wanted.length)
    return suspects.length === 0
  }

  /** One call of `run`. */
  async #call(attempt: Attempt<Input, Output>): Promise<Outcome<Output>> {
    const inputs = attempt.tickets.map(({ input }) => input)
    try {
      const outputs = await this.#options.runner.run(inputs, attempt.context)
      checkCount(outputs, inputs.length)
      return { outputs }
    } catch (error) {
      return { error }
    }
  }

  /** Settles those whose outputs are good, gives back the others. */
  #settle(attempt: Attempt<Input, Output>, outcome: Outcome<Output>): Suspect<Input, Output>[] {
    const { tickets } = attempt
    const ms = attempt.end()
    this.#options.ledger.ran(ms)
    const { outputs, error } = outcome
    if (outputs === undefined) return tickets.map((ticket) => ({ ticket, error }))
    tickets[0]!.bucket.model.learn(attempt.cost, ms)
    const suspects: Suspect<Input, Output>[] = []
    tickets.forEach((ticket, index) => this.#answer(ticket, outputs[index]!, suspects))
    return suspects
  }

  #answer(ticket: Ticket<Input, Output>, output: Output | Error, suspects: Suspect<Input, Output>[]): void {
    if (output instanceof Error) return this.#options.reject(ticket, output)
    try {
      this.#options.check?.(output, ticket.input)
    } catch (error) {
      suspects.push({ ticket, error })
      return
    }
    this.#options.resolve(ticket, output)
  }
}

/** Whether a run failed before it began: no request of it can be at fault, and running them apart would not help. */
function neverRan(error: unknown): boolean {
  return isBioError(error, 'ERR_BIO_WORKER_START') || isBioError(error, 'ERR_BIO_CLOSED')
}

function checkCount(outputs: unknown, inputs: number): void {
  if (Array.isArray(outputs) && outputs.length === inputs) return
  throw new BioError('ERR_BIO_OUTPUT_COUNT', {
    operation: 'Batcher.run',
    expected: `an array of ${inputs} outputs, one per input`,
    received: describe(outputs),
  })
}
