import { Batcher } from '../batcher.js'
import { refuseNaN } from '../refuse-nan.js'
import { generator } from './generator.js'

interface Input {
  readonly id: number
  readonly poison: string | undefined
  readonly waitMs: number
}

const poisons = ['item error', 'throw', 'wrong count', 'NaN', 'exit', 'hang']
const module = new URL('./poisoned-module.mjs', import.meta.url)

/**
 * Real workers, real time: some dozen requests, poison, aborts, deadlines, and a drain that may give up. Gives the promises broken;
 * `codes` counts how requests ended.
 */
export async function playWithWorkers(
  seed: number,
  { kind, codes }: { readonly kind: 'thread' | 'process'; readonly codes: Map<string, number> },
): Promise<string[]> {
  const random = generator(seed)
  const chance = (probability: number): boolean => random() < probability
  const broken: string[] = []
  const idempotent = chance(0.7)
  const batcher = new Batcher<Input, number>({
    workers: { module, kind, count: 2 },
    maxBatchSize: 1 + Math.floor(8 * random()),
    runTimeoutMs: 1000,
    idempotent,
    check: refuseNaN,
  })
  const counts = { completed: 0, failed: 0, cancelled: 0, expired: 0, rejected: 0 }
  const givesUp = chance(0.2)
  // All chances are taken now: what follows comes in no certain order.
  const plans = Array.from({ length: 24 }, (_, id) => ({
    afterMs: 50 * random(),
    input: {
      id,
      poison: chance(0.1) ? poisons[Math.floor(poisons.length * random())] : undefined,
      waitMs: chance(0.2) ? 20 * random() : 0,
    },
    deadline: chance(0.1) ? { deadlineMs: 1 + Math.floor(100 * random()) } : {},
    abortAfterMs: chance(0.15) ? 100 * random() : undefined,
  }))
  const requests = plans.map(async ({ afterMs, input, deadline, abortAfterMs }) => {
    await pause(afterMs)
    const { id, poison } = input
    const end = await batcher.submit(input, { ...deadline, signal: withdrawnAfter(abortAfterMs) }).then(
      (output) => {
        if (poison !== undefined) broken.push(`${poison} succeeded`)
        if (output !== 2 * id) broken.push('an output of another')
        return 'completed' as const
      },
      (error: Error & { code?: string }) => {
        const reason = error.code ?? error.message
        codes.set(reason, (codes.get(reason) ?? 0) + 1)
        if (reason === 'aborted') return 'cancelled'
        if (reason === 'ERR_BIO_DEADLINE') return 'expired'
        if (reason === 'ERR_BIO_QUEUE_FULL') return 'rejected'
        if (reason !== 'ERR_BIO_CLOSED' || !givesUp)
          if (poison === undefined && idempotent) broken.push(`a healthy one failed: ${error.message}`)
        return 'failed'
      },
    )
    counts[end] += 1
  })
  await pause(60) // all have been submitted
  await batcher.drain({ timeoutMs: givesUp ? 20 : 60_000 })
  await Promise.all(requests)
  const stats = batcher.stats()
  for (const [count, value] of Object.entries(counts))
    if (stats[count as keyof typeof counts] !== value)
      broken.push(`${count}: ${value}, by the ledger ${stats[count as keyof typeof counts]}`)
  if (stats.queued + stats.running > 0) broken.push('something is left')
  return broken
}

function withdrawnAfter(ms: number | undefined): AbortSignal {
  const controller = new AbortController()
  if (ms !== undefined) setTimeout(() => controller.abort(new Error('aborted')), ms)
  return controller.signal
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
