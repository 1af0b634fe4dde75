import fc from 'fast-check'
import type { Generation } from '../generation.js'
import type { SchedulerStats } from '../scheduler-stats.js'
import { StepScheduler } from '../step-scheduler.js'
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
      readonly tenant: string | undefined
      readonly priority: number
      readonly deadlineMs: number | undefined
      /** Undefined submits one request, a number so many samples. */
      readonly samples: number | undefined
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
  tenant: fc.constantFrom(undefined, 'x', 'y', 'z'),
  priority: fc.constantFrom(0, 0, 0, 1, -2),
  deadlineMs: fc.constantFrom(undefined, undefined, undefined, 60_000, 0, 1),
  samples: fc.constantFrom(undefined, undefined, undefined, 1, 2, 4),
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
  /** Whether the cache can. */
  readonly forks: boolean
}

/** A schedule of at most `maxEvents` events. */
export function randomSchedule(maxEvents: number): fc.Arbitrary<Schedule> {
  return fc.record({
    limits,
    events: fc.array(event, { maxLength: maxEvents, size: 'max' }),
    seed: fc.nat(1000),
    forks: fc.boolean(),
  })
}

/** What `play` saw beyond the promises it checked; so that a test can tell that the interesting cases occurred. */
export interface Played extends SchedulerStats {
  readonly broken: readonly string[]
  readonly events: number
}

/** Plays a schedule against the fake model and returns the promises that the scheduler broke. */
export async function play(schedule: Schedule): Promise<Played> {
  const { blocks, blockTokens, ...rest } = schedule.limits
  const { events, seed, forks } = schedule
  const broken: string[] = []
  const demand = (promise: string, kept: boolean): void => void (kept || broken.push(promise))
  const cache = new BlockCache(blocks, blockTokens)
  const model = new HashEngine(rest)
  let release: ((fails: boolean) => void) | undefined
  const scheduler = new StepScheduler<BlockSequence, number>({
    ...rest,
    cache: forks ? cache : { blockTokens, open: (tokens, options) => cache.open(tokens, options) },
    weight: (tenant) => (tenant === 'x' ? 3 : 1),
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
  const generations: { readonly generation: Generation; readonly tenant: string | undefined }[] = []
  const ended = new Set<Generation>()

  const accept = (request: Extract<ScheduleEvent, { type: 'submit' }>): void => {
    const { family, shared, own, maxTokens, stopTokens, scope, tenant, priority, deadlineMs, samples } = request
    const controller = new AbortController()
    const id = generations.length
    const terms = {
      prompt: Int32Array.from({ length: shared + own }, (_, at) => (at < shared ? family : (id * 7 + at) % 50)),
      maxTokens,
      stopTokens,
      priority,
      signal: controller.signal,
      ...(scope === undefined ? {} : { scope }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    }
    const samplings = Array.from({ length: samples ?? 1 }, (_, sample) => seed + id + 1000 * sample)
    const surelyFits = hasPlaces(tenant, samplings.length, 'most')
    const mayFit = hasPlaces(tenant, samplings.length, 'least')
    let accepted: readonly Generation[]
    try {
      accepted =
        samples === undefined
          ? [scheduler.submit({ ...terms, sampling: samplings[0]! })]
          : scheduler.sample({ ...terms, samplings })
    } catch (error) {
      const { code } = error as { code?: string }
      demand('refused only for want of places', !surelyFits && /QUEUE_FULL|CONFIG/.test(code ?? ''))
      demand('called impossible only when it is', code !== 'ERR_BIO_CONFIG' || samplings.length > 1)
      return
    }
    demand('accepted only where there are places', mayFit)
    controllers.push(controller)
    for (const [index, generation] of accepted.entries()) {
      generations.push({ generation, tenant })
      const end = (): void => void ended.add(generation)
      generation.result.then(end, end)
      settled.push(check(generation, { ...terms, sampling: samplings[index]! }, deadlineMs))
    }
  }

  /**
   * The rule of places, one request after the other. Who of a tenant waits is not to be seen from outside: at least its unsettled
   * requests without all that run, at most all of them.
   */
  const hasPlaces = (tenant: string | undefined, wanted: number, held: 'least' | 'most'): boolean => {
    const { waiting, running } = scheduler.stats()
    const unsettled = generations.filter((other) => other.tenant === tenant && !ended.has(other.generation)).length
    let own = held === 'most' ? unsettled : unsettled - running
    let free = rest.maxQueue - waiting
    for (let taken = 0; taken < wanted; taken++, own++, free--)
      if (free <= 0 || (tenant !== undefined && own >= free)) return false
    return true
  }

  /** The oracle: the tokens are those of the request alone, or their beginning if it was cut short. */
  const check = async (
    generation: Generation,
    options: Parameters<typeof generateAlone>[0],
    deadlineMs: number | undefined,
  ): Promise<void> => {
    const alone = generateAlone(options)
    const isBeginning = (tokens: readonly number[]): boolean => tokens.every((token, at) => token === alone[at])
    const streamed: number[] = []
    const reading = (async () => {
      for await (const token of generation) streamed.push(token)
    })().catch(() => {})
    try {
      const { tokens, finishReason, promptTokens, cachedTokens, prefilledTokens, preemptions } =
        await generation.result
      demand('the tokens of the request alone', isBeginning(tokens))
      demand('cut short by an abort only', finishReason === 'abort' || tokens.length === alone.length)
      if (finishReason !== 'abort' && preemptions === 0)
        demand('every prompt token cached or prefilled', cachedTokens + prefilledTokens === promptTokens)
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      const isKnown = message === 'engine' || code === 'ERR_BIO_CACHE_FULL' || code === 'ERR_BIO_DEADLINE'
      demand(`no error but the engine's, a full cache and a deadline: ${message}`, isKnown)
      const positions = options.prompt.length + options.maxTokens - 1
      if (code === 'ERR_BIO_CACHE_FULL')
        demand('fails for room only when too long', Math.ceil(positions / blockTokens) > blocks)
      if (code === 'ERR_BIO_DEADLINE') demand('expires only with a deadline', (deadlineMs ?? Infinity) <= 1)
    }
    await reading
    demand('what was streamed is of the request alone', isBeginning(streamed))
    if (deadlineMs === 0) demand('what came too late never runs', !model.seen.has(generation.id))
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
    else void generations[next.pick % generations.length]?.generation[Symbol.asyncIterator]().return?.()
    await Promise.resolve() // whoever settled is known to have
    const { submitted, finished, aborted, expired, failed, waiting, running } = scheduler.stats()
    const counted = finished + aborted + expired + failed + waiting + running
    demand('every request is counted once', submitted === counted && submitted === generations.length)
    demand('running within maxSequences', running <= rest.maxSequences)
  }
  const draining = scheduler.drain({ timeoutMs: 60_000 })
  for (let turns = 0; ended.size < generations.length; turns++) {
    if (turns === 10_000) throw new Error('the scheduler no longer advances')
    await step(false)
  }
  await step(false) // what was aborted in flight
  await draining
  await Promise.all(settled)
  demand('no block leaked', cache.heldBlocks === 0)
  demand('every request settled', ended.size === generations.length)
  return { ...scheduler.stats(), broken: [...broken, ...model.broken], events: events.length }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
