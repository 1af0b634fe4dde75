import { BioError } from '@bio/errors'
import { gatherRows, type Tensor } from '@bio/tensor'

/** Sequences one after the other, without padding. */
export interface ClassifierState {
  readonly x: Tensor // [tokens, dim]
  /** Tokens of each row, [rows]. */
  readonly lengths: Int32Array
}

/** x [batch, length, features] → the tokens that count, [tokens, features]. */
export function withoutPadding(
  x: Tensor,
  { features, lengths }: { features: number; lengths: ArrayLike<number> | undefined },
): ClassifierState {
  const [batch, length] = x.shape
  if (x.shape.length !== 3 || x.shape[2] !== features || x.size === 0)
    throw new BioError('ERR_BIO_SHAPE', {
      operation: 'Classifier',
      expected: `x [batch, length, ${features}] of at least one token`,
      received: `[${x.shape.join(', ')}]`,
    })
  const flat = x.reshape([batch! * length!, features])
  if (lengths === undefined) return { x: flat, lengths: new Int32Array(batch!).fill(length!) }
  checkLengths(lengths, { batch: batch!, length: length! })
  const own = Int32Array.from(lengths)
  if (own.every((count) => count === length)) return { x: flat, lengths: own }
  return {
    x: gatherRows(
      flat,
      tokensOf(own, (row) => row * length!),
    ),
    lengths: own,
  }
}

/** The sequences of these rows, in this order. */
export function gatherSequences({ x, lengths }: ClassifierState, rows: Int32Array): ClassifierState {
  const starts = new Int32Array(lengths.length)
  for (let row = 1; row < starts.length; row++) starts[row] = starts[row - 1]! + lengths[row - 1]!
  for (const row of rows)
    if (row < 0 || row >= lengths.length)
      throw new BioError('ERR_BIO_INDEX', {
        operation: 'Classifier.gather',
        expected: `rows from 0 to ${lengths.length - 1}`,
        received: String(row),
      })
  const kept = rows.map((row) => lengths[row]!)
  return {
    x: gatherRows(
      x,
      tokensOf(kept, (i) => starts[rows[i]!]!),
    ),
    lengths: kept,
  }
}

/** Where the tokens of each sequence lie, for sequences that start where `startOf` says. */
function tokensOf(lengths: Int32Array, startOf: (row: number) => number): Int32Array {
  const index = new Int32Array(lengths.reduce((sum, count) => sum + count, 0))
  let at = 0
  lengths.forEach((count, row) => {
    for (let i = 0; i < count; i++) index[at++] = startOf(row) + i
  })
  return index
}

function checkLengths(
  lengths: ArrayLike<number>,
  { batch, length }: { batch: number; length: number },
): void {
  const wrong = Array.from(lengths).find(
    (count) => !(Number.isInteger(count) && count >= 1 && count <= length),
  )
  if (lengths.length === batch && wrong === undefined) return
  throw new BioError('ERR_BIO_SHAPE', {
    operation: 'Classifier',
    expected: `${batch} lengths from 1 to ${length}`,
    received: lengths.length === batch ? String(wrong) : `${lengths.length} lengths`,
  })
}
