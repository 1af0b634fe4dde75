import { BioError } from '@bio/errors'
import type { Tenant } from '../tenants.js'
import { describe } from '../check.js'
import type { CachedSequence } from './contract.js'
import type { GenerationResult, RequestTerms } from './generation.js'
import { TokenStream } from './token-stream.js'

/** What makes a request one of the scheduler's. */
export interface Acceptance<Sequence extends CachedSequence, Sampling> {
  /** Rises with arrival. */
  readonly id: number
  readonly sampling: Sampling
  readonly tenant: Tenant
  readonly ageingMs: number
  /** The first of the samples of one prompt, for the others. */
  readonly firstSample: ScheduledRequest<Sequence, Sampling> | undefined
  readonly onAbandoned: (request: ScheduledRequest<Sequence, Sampling>) => void
}

/** A request inside the scheduler: its tokens, how far they are computed, and where they are cached. */
export class ScheduledRequest<Sequence extends CachedSequence, Sampling> {
  readonly id: number
  readonly options: RequestTerms
  readonly sampling: Sampling
  readonly tenant: Tenant
  readonly firstSample: ScheduledRequest<Sequence, Sampling> | undefined
  readonly stream: TokenStream
  readonly promptTokens: number
  readonly submittedAt: number = performance.now()
  /** Its place among the requests of its tenant, lower first: submittedAt − priority · ageingMs, which never changes. */
  readonly turn: number
  /** When its time is over; Infinity without a deadline. */
  readonly deadlineAt: number
  /** Settled; nothing may be added any more. */
  ended = false
  /** Set while the request runs. */
  sequence: Sequence | undefined = undefined
  /** Tokens, prompt first, whose keys and values are committed to `sequence`. */
  computed = 0
  /** Tokens known at the last admission: those before this position are prefill, those after it decodes. */
  prefillEnd = 0
  cachedTokens = 0
  prefilledTokens = 0
  preemptions = 0
  admittedAt: number | undefined = undefined
  #firstTokenAt: number | undefined
  /** Prompt and generated tokens, with room to grow. */
  #tokens: Int32Array
  #known: number

  constructor(options: RequestTerms, acceptance: Acceptance<Sequence, Sampling>) {
    const { id, sampling, tenant, ageingMs, firstSample, onAbandoned } = acceptance
    this.id = id
    this.options = options
    this.sampling = sampling
    this.tenant = tenant
    this.firstSample = firstSample
    this.stream = new TokenStream(id, () => onAbandoned(this))
    this.turn = this.submittedAt - (options.priority ?? 0) * ageingMs
    this.deadlineAt = this.submittedAt + (options.deadlineMs ?? Infinity)
    this.#tokens = options.prompt.slice()
    this.#known = this.promptTokens = options.prompt.length
  }

  /** Tokens known: the prompt and what was generated. */
  get known(): number {
    return this.#known
  }

  /** Known tokens not yet computed: at least one while the request lives, exactly one in a decode. */
  get pending(): number {
    return this.#known - this.computed
  }

  get generated(): number {
    return this.#known - this.promptTokens
  }

  /** Positions that will ever be written: the last token to come is none of them. */
  get positions(): number {
    return this.promptTokens + this.options.maxTokens - 1
  }

  get isDecoding(): boolean {
    return this.computed >= this.prefillEnd
  }

  /** A view of the known tokens, valid until the next `append`. */
  get tokens(): Int32Array {
    return this.#tokens.subarray(0, this.#known)
  }

  /** Takes a place in the cache. */
  admit(sequence: Sequence): void {
    this.sequence = sequence
    this.computed = sequence.cachedTokens
    this.prefillEnd = this.#known
    if (this.admittedAt !== undefined) return
    this.admittedAt = performance.now()
    this.cachedTokens = sequence.cachedTokens
  }

  /** Gives the place back; what was generated stays known and is computed again as if it were prompt. */
  preempt(): void {
    this.sequence?.close()
    this.sequence = undefined
    this.computed = 0
    this.preemptions += 1
  }

  /** These tokens are written to the cache. */
  commit(tokens: Int32Array): void {
    this.sequence?.commit(tokens)
    this.prefilledTokens += Math.min(tokens.length, Math.max(0, this.prefillEnd - this.computed))
    this.computed += tokens.length
  }

  /** Takes a sampled token and says whether it is the last. */
  append(token: number): 'stop' | 'length' | undefined {
    this.#firstTokenAt ??= performance.now()
    if (this.#known === this.#tokens.length) {
      const grown = new Int32Array(2 * this.#known)
      grown.set(this.#tokens)
      this.#tokens = grown
    }
    this.#tokens[this.#known] = token
    this.#known += 1
    this.stream.push(token)
    const { maxTokens, stop, stopTokens } = this.options
    if (stopTokens?.includes(token) || (stop !== undefined && isTrue(stop(this.stream.tokens)))) return 'stop'
    return this.generated === maxTokens ? 'length' : undefined
  }

  result(finishReason: GenerationResult['finishReason']): GenerationResult {
    const since = (at: number | undefined): number | null => (at === undefined ? null : at - this.submittedAt)
    return {
      tokens: this.stream.tokens.slice(),
      finishReason,
      promptTokens: this.promptTokens,
      cachedTokens: this.cachedTokens,
      prefilledTokens: this.prefilledTokens,
      preemptions: this.preemptions,
      queueMs: since(this.admittedAt),
      ttftMs: since(this.#firstTokenAt),
      durationMs: performance.now() - this.submittedAt,
    }
  }
}

/** A promise would be taken for true at the first token. */
function isTrue(answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer
  throw new BioError('ERR_BIO_VALUE', {
    operation: 'stop',
    expected: 'true or false at once',
    received: describe(answer),
  })
}

/** Who goes first, negative if `a` does: the tenant served least so far; then the lower turn; then who came first. */
export function compareTurns(a: Turn, b: Turn): number {
  return a.tenant.served - b.tenant.served || a.turn - b.turn || a.id - b.id
}

type Turn = Pick<ScheduledRequest<CachedSequence, unknown>, 'tenant' | 'turn' | 'id'>
