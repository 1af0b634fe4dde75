import { concat, type Tensor } from '@bio/tensor'

/** Sequences of one length, one after the other: rows of a flat batch [tokens, …] without padding. */
export interface Run {
  readonly batch: number
  readonly length: number
}

/** Neighbours of one length become one run. */
export function runsOf(lengths: ArrayLike<number>): Run[] {
  const runs: Run[] = []
  for (let row = 0; row < lengths.length; row++) {
    const [length, last] = [lengths[row]!, runs.at(-1)]
    if (last?.length === length) runs[runs.length - 1] = { batch: last.batch + 1, length }
    else runs.push({ batch: 1, length })
  }
  return runs
}

/** Where each token stands in its sequence, [tokens]. */
export function positionsOf(runs: readonly Run[]): Int32Array {
  const positions = new Int32Array(runs.reduce((sum, { batch, length }) => sum + batch * length, 0))
  let token = 0
  for (const { batch, length } of runs)
    for (let row = 0; row < batch; row++) for (let i = 0; i < length; i++) positions[token++] = i
  return positions
}

/**
 * Applies `combine` to each run and joins the rows that it returns. Tensors [tokens, …] are handed over as [batch, length, …]: no sequence
 * meets the tokens of another, nor any padding.
 */
export function overRuns<Tensors extends readonly Tensor[]>(
  tensors: Tensors,
  runs: readonly Run[],
  combine: (parts: Tensors) => Tensor,
): Tensor {
  let first = 0
  const rows = runs.map(({ batch, length }) => {
    const parts = tensors.map((tensor) => {
      const part = runs.length === 1 ? tensor : tensor.narrow(0, first, batch * length)
      return part.reshape([batch, length, ...tensor.shape.slice(1)])
    })
    first += batch * length
    return combine(parts as unknown as Tensors)
  })
  return rows.length === 1 ? rows[0]! : concat(rows)
}
