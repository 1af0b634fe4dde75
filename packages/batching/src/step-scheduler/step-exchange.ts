import { BioError } from '@bio/errors'
import { describe } from '../check.js'
import type { CachedSequence, StepItem } from './contract.js'
import type { Chunk } from './step-planner.js'

/** What the engine is told about a chunk. */
export function toItem<Sequence extends CachedSequence, Sampling>({
  request,
  count,
}: Chunk<Sequence, Sampling>): StepItem<Sequence, Sampling> {
  return {
    id: request.id,
    sequence: request.sequence!,
    tokens: request.tokens.slice(request.computed, request.computed + count),
    start: request.computed,
    sample: count === request.pending,
    sampling: request.sampling,
    generated: request.generated,
  }
}

/** Refuses what is not one entry per item (`ERR_BIO_OUTPUT_COUNT`). */
export function checkOutputs(outputs: ArrayLike<number>, items: number): void {
  if (outputs?.length === items) return
  throw new BioError('ERR_BIO_OUTPUT_COUNT', {
    operation: 'StepEngine.step',
    expected: `${items} entries, one per item`,
    received: describe(outputs),
  })
}

/** Refuses what is no token (`ERR_BIO_VALUE`). */
export function checkToken(token: number | undefined): asserts token is number {
  if (Number.isInteger(token) && token! >= 0 && token! < 2 ** 31) return
  throw new BioError('ERR_BIO_VALUE', {
    operation: 'StepEngine.step',
    expected: 'a sampled token from 0 to 2³¹ − 1',
    received: String(token),
  })
}
