import type { StepEngine } from '../contract.js'
import { StepScheduler } from '../step-scheduler.js'
import { BlockCache, type BlockSequence } from './block-cache.js'
import { HashEngine } from './hash-engine.js'

/** What differs from one hundred blocks of 4 tokens and steps of 64 tokens and 32 sequences. */
export interface Setup {
  readonly blocks?: number
  readonly blockTokens?: number
  readonly maxTokensPerStep?: number
  readonly maxSequences?: number
  readonly maxQueue?: number
  readonly ageingMs?: number
  readonly weight?: (tenant: string) => number
  readonly forks?: boolean
  readonly engine?: (engine: HashEngine) => StepEngine<BlockSequence, number>
}

interface SetUp {
  readonly cache: BlockCache
  readonly engine: HashEngine
  readonly scheduler: StepScheduler<BlockSequence, number>
}

/** A scheduler over the fake model and the plain cache. */
export function setUp(options: Setup = {}): SetUp {
  const { ageingMs, weight } = options
  const { blocks = 100, blockTokens = 4, maxTokensPerStep = 64, maxSequences = 32, maxQueue = 100 } = options
  const cache = new BlockCache(blocks, blockTokens)
  const engine = new HashEngine({ maxTokensPerStep, maxSequences })
  const scheduler = new StepScheduler<BlockSequence, number>({
    engine: options.engine?.(engine) ?? engine,
    cache: options.forks === false ? { blockTokens, open: (tokens, scope) => cache.open(tokens, scope) } : cache,
    ...(ageingMs === undefined ? {} : { ageingMs }),
    ...(weight === undefined ? {} : { weight }),
    maxTokensPerStep,
    maxSequences,
    maxQueue,
  })
  return { cache, engine, scheduler }
}

/** `length` tokens that begin differently for every `first`. */
export function prompt(length: number, first: number): Int32Array {
  return Int32Array.from({ length }, (_, index) => (index === 0 ? first : index % 40))
}

/** One turn of the event loop: a step of an engine that does not wait. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
