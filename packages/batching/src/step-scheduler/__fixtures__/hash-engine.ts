import type { StepEngine, StepItem } from '../contract.js'
import type { BlockSequence } from './block-cache.js'

/** A token is at most this, so that generations run into stop tokens and each other's prefixes. */
const vocabulary = 50

/** The fake model: the next token is a hash of the seed and of all tokens before it. */
export function nextToken(tokens: readonly number[], seed: number): number {
  let hash = seed
  for (const token of tokens) hash = (Math.imul(hash, 31) + token + 7) >>> 0
  return ((hash ^ (hash >>> 13)) >>> 0) % vocabulary
}

/** One request at a time, nothing cached, nothing batched: what every schedule must equal. */
export function generateAlone(request: {
  readonly prompt: Int32Array
  readonly maxTokens: number
  readonly sampling: number
  readonly stopTokens?: readonly number[]
}): number[] {
  const tokens = Array.from(request.prompt)
  const generated: number[] = []
  while (generated.length < request.maxTokens) {
    const token = nextToken(tokens, request.sampling)
    tokens.push(token)
    generated.push(token)
    if (request.stopTokens?.includes(token)) break
  }
  return generated
}

/** Runs the fake model on the pages of the cache, and checks what the scheduler promises about every step. */
export class HashEngine implements StepEngine<BlockSequence, number> {
  readonly steps: {
    readonly ids: readonly number[]
    readonly tokens: number
    readonly items: readonly { readonly id: number; readonly tokens: number }[]
  }[] = []
  /** Promises broken by the scheduler: a throw here would only fail requests. */
  readonly broken: string[] = []
  /** Requests that were in a step. */
  readonly seen: Set<number> = new Set()
  readonly #limits: { readonly maxTokensPerStep: number; readonly maxSequences: number }

  constructor(limits: { readonly maxTokensPerStep: number; readonly maxSequences: number }) {
    this.#limits = limits
  }

  step(items: readonly StepItem<BlockSequence, number>[]): number[] {
    const tokens = items.reduce((sum, item) => sum + item.tokens.length, 0)
    const counts = items.map((item) => ({ id: item.id, tokens: item.tokens.length }))
    this.steps.push({ ids: items.map((item) => item.id), tokens, items: counts })
    this.#demand('budget', tokens <= this.#limits.maxTokensPerStep)
    this.#demand('sequences', items.length <= this.#limits.maxSequences)
    this.#demand('one item per request', new Set(items.map((item) => item.id)).size === items.length)
    this.#demand('some tokens', items.length > 0 && items.every((item) => item.tokens.length > 0))
    return items.map((item) => this.#run(item))
  }

  #run({ id, sequence, tokens, start, sample, sampling }: StepItem<BlockSequence, number>): number {
    this.seen.add(id)
    this.#demand('start', start === sequence.committed.length)
    this.#demand('room', start + tokens.length <= sequence.room)
    sequence.write(start, tokens)
    return sample ? nextToken(sequence.read(start + tokens.length), sampling) : -1
  }

  #demand(promise: string, kept: boolean): void {
    if (!kept) this.broken.push(promise)
  }
}
