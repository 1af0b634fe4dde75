import fc from 'fast-check'

/** What an input does to every run that it is in. */
export type Nature = 'healthy' | 'item error' | 'NaN' | 'all NaN' | 'throw' | 'wrong count' | 'crash' | 'hang'

/** How a run fails though no input of it is at fault. */
export type Accident = 'none' | 'throw' | 'kill' | 'no worker'

/** What happens to the batcher, one after the other. */
export type ScheduleEvent =
  | {
      readonly type: 'submit'
      readonly nature: Nature
      /** Inputs of one name are the same to the quarantine. */
      readonly name: number
      readonly bucket: number
      readonly cost: number
      readonly tenant: string
      readonly priority: number
      readonly deadlineMs: number | undefined
    }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'abort'; readonly pick: number }
  | { readonly type: 'end'; readonly pick: number; readonly accident: Accident }
  | { readonly type: 'drain'; readonly timeoutMs: number }

const submit = fc.record({
  type: fc.constant('submit' as const),
  nature: fc.oneof(
    { weight: 12, arbitrary: fc.constant('healthy' as const) },
    {
      weight: 5,
      arbitrary: fc.constantFrom<Nature[]>(
        'item error',
        'NaN',
        'all NaN',
        'throw',
        'wrong count',
        'crash',
        'hang',
      ),
    },
  ),
  name: fc.nat(3),
  bucket: fc.nat(1),
  cost: fc.integer({ min: 1, max: 4 }),
  tenant: fc.constantFrom('', 'a', 'b'),
  priority: fc.constantFrom(0, 0, 2),
  deadlineMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 3 }),
})

const event: fc.Arbitrary<ScheduleEvent> = fc.oneof(
  { weight: 30, arbitrary: submit },
  {
    weight: 14,
    arbitrary: fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(0, 1, 2, 5, 20) }),
  },
  { weight: 8, arbitrary: fc.record({ type: fc.constant('abort' as const), pick: fc.nat(1000) }) },
  {
    weight: 20,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      pick: fc.nat(1000),
      accident: fc.constantFrom<Accident[]>('none', 'none', 'none', 'throw', 'kill', 'no worker'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('drain' as const), timeoutMs: fc.constantFrom(0, 30, 1000) }),
  },
)

/** A batcher, and what happens to it. */
export interface Schedule {
  readonly options: {
    readonly maxBatchSize: number
    readonly maxBatchCost: number
    readonly maxQueue: number
    readonly concurrency: number
    readonly idempotent: boolean
    readonly maxWaitMs: number | undefined
    readonly runTimeoutMs: number | undefined
    readonly quarantineAfter: number
  }
  readonly events: readonly ScheduleEvent[]
  /** Of the choices made while it is played. */
  readonly seed: number
}

/** A schedule of at most `maxEvents` events. */
export function randomSchedule(maxEvents: number): fc.Arbitrary<Schedule> {
  return fc.record({
    options: fc.record({
      maxBatchSize: fc.integer({ min: 1, max: 8 }),
      maxBatchCost: fc.integer({ min: 4, max: 20 }),
      maxQueue: fc.integer({ min: 1, max: 16 }),
      concurrency: fc.integer({ min: 1, max: 3 }),
      idempotent: fc.boolean(),
      maxWaitMs: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
      runTimeoutMs: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
      quarantineAfter: fc.integer({ min: 1, max: 3 }),
    }),
    events: fc.array(event, { maxLength: maxEvents, size: 'max' }),
    seed: fc.nat(2 ** 31 - 1),
  })
}
