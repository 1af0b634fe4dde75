import { Rng } from '@bio/tensor'
import { joinBatches } from '../data/dataset.js'
import { Reservoir } from './reservoir.js'
import type { Strategy } from './strategy.js'

/**
 * Experience replay (Chaudhry et al. 2019): each step also trains on items drawn from a reservoir of all that was seen before, old and
 * new in one batch. A batch's own items enter the reservoir after its step.
 *
 * @example
 * ```ts
 * import { replay } from '@bio/continual'
 *
 * console.log(replay({ capacity: 500 }).name) // => replay 500
 * ```
 */
export function replay({
  capacity,
  batchSize,
  seed = 0,
}: {
  capacity: number
  batchSize?: number
  seed?: number
}): Strategy {
  const reservoir = new Reservoir(capacity, new Rng(seed))
  return {
    name: `replay ${capacity}`,
    beforeStep(batch) {
      const old = reservoir.draw(batchSize ?? batch.size)
      return old === undefined ? batch : joinBatches(batch, old)
    },
    afterStep: (fresh) => reservoir.add(fresh),
  }
}
