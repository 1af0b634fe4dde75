import type { SparseFormat } from './interface.js'

/** What a format costs, counted on a core with two multiply-adds of 8 values per cycle. */
interface Cost {
  /** Weight rows that share a column. */
  readonly height: number
  /** Cycles per block where one row of x is multiplied: the loads of an index, of x and of the weights. */
  readonly one: number
  /** Cycles per block for 16 rows of x side by side, and for 8: multiply-adds, and x from the L2. */
  readonly sixteen: number
  readonly eight: number
}

const costs: Readonly<Record<Exclude<SparseFormat, 'dense'>, Cost>> = {
  '16x1': { height: 16, one: 4.5, sixteen: 33, eight: 19 },
  '4x1': { height: 4, one: 1.6, sixteen: 7.5, eight: 4.5 },
  csr: { height: 1, one: 2.2, sixteen: 4, eight: 2.5 },
}
/** Cycles that a run of blocks costs beside them: its sums in and out, a branch guessed wrong. */
const RUN = 45
/** Columns of a run at most: `STRETCH` in the Rust crate. */
const STRETCH = 4096
/** Rows of x from which they are multiplied side by side: `BATCH` in the Rust crate. */
const BATCH = 4
/** Multiply-adds of the dense kernel per cycle, of 16. */
const DENSE = 15

/** Bytes per cycle that one core reads: from a third-level cache, and from memory where the weights are more than that holds. */
const bandwidth = (bytes: number): number => (bytes <= 2 ** 23 ? 20 : 6)

/**
 * The format that is fastest for `batch` rows of x; without one, the format whose worst case over batches of 1 to 512 is best. 'dense' is
 * taken where nothing is expected to be faster, so that a choice is not slower than dense weights.
 *
 * time = max(cycles, bytes / bandwidth): cycles grow with the blocks that hold a weight other than 0, which are counted, bytes with what
 * each format stores. Nothing is timed: the same weights have the same format everywhere.
 */
export function chooseSparseFormat(
  weights: Float32Array,
  { rows, columns, batch }: { rows: number; columns: number; batch?: number },
): SparseFormat {
  const blocks = countBlocks(weights, { rows, columns })
  const batches = batch === undefined ? [1, 4, 16, 64, 512] : [Math.max(1, batch)]
  let best: { format: SparseFormat; ratio: number } = { format: 'dense', ratio: 1 }
  for (const format of ['16x1', '4x1', 'csr'] as const) {
    const shape = { rows, columns, blocks: blocks[format] }
    const ratio = Math.max(
      ...batches.map((m) => sparseCycles(costs[format], shape, m) / denseCycles(shape, m)),
    )
    if (ratio < best.ratio) best = { format, ratio }
  }
  return best.format
}

function denseCycles({ rows, columns }: { rows: number; columns: number }, m: number): number {
  const bytes = 4 * rows * columns
  // Rows of dense weights are read by several streams, faster than blocks are.
  return Math.max((m * rows * columns) / DENSE, bytes / (bytes <= 2 ** 23 ? 20 : 8))
}

function sparseCycles(
  { height, one, sixteen, eight }: Cost,
  { rows, columns, blocks }: { rows: number; columns: number; blocks: number },
  m: number,
): number {
  const runs = Math.ceil(rows / height) * Math.ceil(columns / STRETCH)
  const bytes = blocks * (4 * height + 2) + 4 * runs
  const memory = bytes / bandwidth(bytes)
  if (m < BATCH) return m * Math.max(blocks * one + runs * RUN, memory)
  const [pairs, rest] = [Math.floor(m / 16), m % 16]
  const side = rest === 0 ? 0 : rest > 8 ? sixteen : eight
  // x is brought into columns, and the sums back into rows, at a value per cycle.
  const moved = m * (rows + columns)
  return Math.max(blocks * (pairs * sixteen + side) + runs * RUN * Math.ceil(m / 16) + moved, memory)
}

/** Blocks of 1, 4 and 16 weight rows in which at least one weight is not 0. */
function countBlocks(
  weights: Float32Array,
  { rows, columns }: { rows: number; columns: number },
): Record<keyof typeof costs, number> {
  const counts = { csr: 0, '4x1': 0, '16x1': 0 }
  /** Per column, a bit for each of 16 rows. */
  const used = new Uint16Array(columns)
  for (let first = 0; first < rows; first += 16) {
    used.fill(0)
    for (let row = first; row < Math.min(first + 16, rows); row++) {
      const [start, bit] = [row * columns, 1 << (row - first)]
      for (let column = 0; column < columns; column++) if (weights[start + column] !== 0) used[column]! |= bit
    }
    for (const bits of used) {
      if (bits === 0) continue
      counts['16x1']++
      for (let rest = bits; rest > 0; rest >>= 4) if ((rest & 15) !== 0) counts['4x1']++
      for (let rest = bits; rest > 0; rest &= rest - 1) counts.csr++
    }
  }
  return counts
}
