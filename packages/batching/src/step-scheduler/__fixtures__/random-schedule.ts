import fc from 'fast-check'
import { StepScheduler, type Generation } from '../../index.js'
import { BlockCache, type BlockSequence } from './block-cache.js'
import { generateAlone, HashEngine } from './hash-engine.js'

/** What happens to the scheduler between two steps of the engine. */
type ScheduleEvent =
  | {
      readonly type: 'submit'
      readonly family: number
      readonly shared: number
      readonly own: number
      readonly maxTokens: number
      readonly stopTokens: readonly number[]
      readonly scope: string | undefined
    }
  | { readonly type: 'step'; readonly fails: boolean }
  | { readonly type: 'abort'; readonly pick: number }
  | { readonly type: 'leave'; readonly pick: number }

const submit = fc.record({
  type: fc.constant('submit' as const),
  family: fc.nat(2),
  shared: fc.nat(24),
  own: fc.integer({ min: 1, max: 8 }),
  maxTokens: fc.integer({ min: 1, max: 20 }),
  stopTokens: fc.array(fc.nat(49), { maxLength: 2 }),
  scope: fc.constantFrom(undefined, 'a', 'b'),
})
const event: fc.Arbitrary<ScheduleEvent> = fc.oneof(
  { weight: 6, arbitrary: submit },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('step' as const),
      fails: fc.integer({ min: 0, max: 30 }).map((n) => n === 30),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), pick: fc.nat() }) },
)

const limits: fc.Arbitrary<Schedule['limits']> = fc
  .record({
    blocks: fc.integer({ min: 4, max: 40 }),
    blockTokens: fc.integer({ min: 1, max: 5 }),
    maxSequences: fc.integer({ min: 1, max: 6 }),
    spareTokens: fc.integer({ min: 0, max: 20 }),
    maxQueue: fc.integer({ min: 2, max: 20 }),
  })
  .map(({ spareTokens, ...rest }) => ({ ...rest, maxTokensPerStep: rest.maxSequences + spareTokens }))

/** Limits and what happens under them. */
interface Schedule {
  readonly limits: Readonly<
    Record<'blocks' | 'blockTokens' | 'maxSequences' | 'maxTokensPerStep' | 'maxQueue', number>
  >
  readonly events: ScheduleEvent[]
  readonly seed: number
}

/** A schedule of at most `maxEvents` events. */
export function randomSchedule(maxEvents: number): fc.Arbitrary<Schedule> {
  return fc.record({
    limits,
    events: fc.array(event, { maxLength: maxEvents, size: 'max' }),
    seed: fc.nat(1000),
  })
}

/** What `play` saw beyond the promises it checked; so that a test can tell that the interesting cases occurred. */
export interface Played {
  readonly broken: readonly string[]
  readonly events: number
  readonly preemptions: number
  readonly cachedTokens: number
  readonly finished: number
}

/** Plays a schedule against the fake model and returns the promises that the scheduler broke. */
export async function play({ limits: { blocks, blockTokens, ...rest }, events, seed }: Schedule): Promise<Played> {
  const broken: string[] = []
  const demand = (promise: string, kept: boolean): void => void (kept || broken.push(promise))
  const cache = new BlockCache(blocks, blockTokens)
  const model = new HashEngine(rest)
  let release: ((fails: boolean) => void) | undefined
  const scheduler = new StepScheduler<BlockSequence, number>({
    ...rest,
    cache,
    engine: {
      step: async (items) => {
        const outputs = model.step(items)
        const fails = await new Promise<boolean>((resolve) => {
          release = resolve
        })
        if (fails) throw new Error('engine')
        return outputs
      },
    },
  })
  const settled: Promise<void>[] = []
  const controllers: AbortController[] = []
  const generations: Generation[] = []

  const accept = (request: Extract<ScheduleEvent, { type: 'submit' }>): void => {
    const { family, shared, own, maxTokens, stopTokens, scope } = request
    const controller = new AbortController()
    const id = generations.length
    const options = {
      prompt: Int32Array.from({ length: shared + own }, (_, at) => (at < shared ? family : (id * 7 + at) % 50)),
      maxTokens,
      stopTokens,
      sampling: seed + id,
      signal: controller.signal,
      ...(scope === undefined ? {} : { scope }),
    }
    const full = scheduler.stats().waiting >= rest.maxQueue
    let generation: Generation
    try {
      generation = scheduler.submit(options)
    } catch (error) {
      demand('refused only when full', full && (error as { code?: string }).code === 'ERR_BIO_QUEUE_FULL')
      return
    }
    demand('accepted unless full', !full)
    controllers.push(controller)
    generations.push(generation)
    settled.push(check(generation, options))
  }

  /** The oracle: the tokens are those of the request alone, or their beginning if it was cut short. */
  const check = async (generation: Generation, options: Parameters<typeof generateAlone>[0]): Promise<void> => {
    const alone = generateAlone(options)
    const isBeginning = (tokens: readonly number[]): boolean => tokens.every((token, at) => token === alone[at])
    try {
      const { tokens, finishReason, promptTokens, cachedTokens, prefilledTokens, preemptions } = await generation.result
      demand('the tokens of the request alone', isBeginning(tokens))
      demand('cut short by an abort only', finishReason === 'abort' || tokens.length === alone.length)
      if (finishReason !== 'abort' && preemptions === 0)
        demand('every prompt token cached or prefilled', cachedTokens + prefilledTokens === promptTokens)
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      demand(`no error but the engine's and a full cache: ${message}`, message === 'engine' || code === 'ERR_BIO_CACHE_FULL')
      const positions = options.prompt.length + options.maxTokens - 1
      if (code !== undefined) demand('fails for room only when too long', Math.ceil(positions / blockTokens) > blocks)
    }
  }

  const step = async (fails: boolean): Promise<void> => {
    const run = release
    release = undefined
    run?.(fails)
    await turn()
    await turn()
  }
  for (const next of events) {
    if (next.type === 'submit') accept(next)
    else if (next.type === 'step') await step(next.fails)
    else if (next.type === 'abort') controllers[next.pick % controllers.length]?.abort()
    else void generations[next.pick % generations.length]?.[Symbol.asyncIterator]().return?.()
    const { submitted, finished, aborted, failed, waiting, running } = scheduler.stats()
    demand('every request is counted once', submitted === finished + aborted + failed + waiting + running)
    demand('running within maxSequences', running <= rest.maxSequences)
  }
  const draining = scheduler.drain({ timeoutMs: 60_000 })
  for (let turns = 0; scheduler.stats().waiting + scheduler.stats().running > 0; turns++) {
    if (turns === 10_000) throw new Error('the scheduler no longer advances')
    await step(false)
  }
  await step(false) // what was aborted in flight
  await draining
  await Promise.all(settled)
  demand('no block leaked', cache.heldBlocks === 0)
  const { preemptions, cachedTokens, finished } = scheduler.stats()
  return { broken: [...broken, ...model.broken], events: events.length, preemptions, cachedTokens, finished }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
