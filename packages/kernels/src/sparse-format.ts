import type { Isa, SparseFormat } from './interface.js'

/** What a format costs, in cycles. */
interface Cost {
  /** Weight rows that share a column. */
  readonly height: number
  /** Per block where one row of x is multiplied: the loads of an index, of x and of the weights. */
  readonly one: number
  /** Per block for 16 rows of x side by side: multiply-adds, and x from the L2. Where the weights fit a third-level cache, and beyond. */
  readonly sixteen: readonly [number, number]
  /** The same for 8 rows. */
  readonly eight: number
}

/** What a core of an instruction set does. */
interface Core {
  readonly formats: Readonly<Record<Exclude<SparseFormat, 'dense'>, Cost>>
  /** Cycles that a run of blocks costs beside them, for one row of x and for some side by side: its sums in and out, a branch guessed wrong. */
  readonly run: { readonly one: number; readonly side: number }
  /** Multiply-adds of the dense kernel per cycle. */
  readonly dense: number
  /** Bytes read per cycle, where the weights fit a third-level cache and from memory: rows of dense weights are read by several streams. */
  readonly bandwidth: {
    readonly dense: readonly [number, number]
    readonly blocks: readonly [number, number]
  }
}

/** Fitted to a Zen 3, with two multiply-adds of 8 values per cycle. */
const avx2: Core = {
  formats: {
    '16x1': { height: 16, one: 4.5, sixteen: [33, 33], eight: 19 },
    '4x1': { height: 4, one: 1.6, sixteen: [7.5, 7.5], eight: 4.5 },
    csr: { height: 1, one: 2.2, sixteen: [4, 4], eight: 2.5 },
  },
  run: { one: 45, side: 45 },
  dense: 15,
  bandwidth: { dense: [20, 8], blocks: [20, 6] },
}
/**
 * Fitted to an Emerald Rapids, with two of 16 values: 8 rows of x take the instructions of 16, and wait for the weights. Dense weights may
 * rest in its 260 MiB of third-level cache, where one row is read at nearly twice memory's rate, and the choice must hold there too. So it must
 * where a neighbour has half of the core: `one` is of that, since blocks are slower then, and dense rows, bound by reading, are not.
 */
const avx512: Core = {
  formats: {
    '16x1': { height: 16, one: 6.4, sixteen: [9, 12.5], eight: 10.5 },
    '4x1': { height: 4, one: 2.2, sixteen: [3, 3.8], eight: 3.8 },
    csr: { height: 1, one: 1.7, sixteen: [1.8, 2.4], eight: 2 },
  },
  run: { one: 50, side: 10 },
  dense: 31,
  bandwidth: { dense: [10.5, 10.5], blocks: [10.3, 5.5] },
}
/** Columns of a run at most: `STRETCH` in the Rust crate. */
const STRETCH = 4096
/** Rows of x from which they are multiplied side by side: `BATCH` in the Rust crate. */
const BATCH = 4

/**
 * The format that is fastest for `batch` rows of x; without one, the format whose worst case over batches of 1 to 512 is best. 'dense' is
 * taken where nothing is expected to be faster, so that a choice is not slower than dense weights.
 *
 * time = max(cycles, bytes / bandwidth): cycles grow with the blocks that hold a weight other than 0, which are counted, bytes with what
 * each format stores. Nothing is timed: the same weights have the same format wherever the instruction set `isa` is the same.
 */
export function chooseSparseFormat(
  weights: Float32Array,
  { rows, columns, batch, isa }: { rows: number; columns: number; batch?: number; isa: Isa },
): SparseFormat {
  const core = isa === 'avx512' || isa === 'avx512-bf16' ? avx512 : avx2
  const blocks = countBlocks(weights, { rows, columns })
  const batches = batch === undefined ? [1, 4, 16, 64, 512] : [Math.max(1, batch)]
  let best: { format: SparseFormat; ratio: number } = { format: 'dense', ratio: 1 }
  for (const format of ['16x1', '4x1', 'csr'] as const) {
    const shape = { rows, columns, blocks: blocks[format] }
    const ratio = Math.max(
      ...batches.map((m) => sparseCycles(core, format, shape, m) / denseCycles(core, shape, m)),
    )
    if (ratio < best.ratio) best = { format, ratio }
  }
  return best.format
}

function denseCycles(
  { dense, bandwidth }: Core,
  { rows, columns }: { rows: number; columns: number },
  m: number,
): number {
  return Math.max((m * rows * columns) / dense, readCycles(bandwidth.dense, 4 * rows * columns))
}

/** The figure for so many bytes of weights: those that fit a third-level cache, or more. */
const bySize = ([cache, memory]: readonly [number, number], bytes: number): number =>
  bytes <= 2 ** 23 ? cache : memory

const readCycles = (bandwidth: readonly [number, number], bytes: number): number =>
  bytes / bySize(bandwidth, bytes)

function sparseCycles(
  { formats, run, bandwidth }: Core,
  format: Exclude<SparseFormat, 'dense'>,
  { rows, columns, blocks }: { rows: number; columns: number; blocks: number },
  m: number,
): number {
  const { height, one, eight } = formats[format]
  const sixteen = bySize(formats[format].sixteen, 4 * rows * columns)
  const runs = Math.ceil(rows / height) * Math.ceil(columns / STRETCH)
  const memory = readCycles(bandwidth.blocks, blocks * (4 * height + 2) + 4 * runs)
  if (m < BATCH) return m * Math.max(blocks * one + runs * run.one, memory)
  const [pairs, rest] = [Math.floor(m / 16), m % 16]
  const side = rest === 0 ? 0 : rest > 8 ? sixteen : eight
  // x is brought into columns, and the sums back into rows, at a value per cycle.
  const moved = m * (rows + columns)
  return Math.max(blocks * (pairs * sixteen + side) + runs * run.side * Math.ceil(m / 16) + moved, memory)
}

/** Blocks of 1, 4 and 16 weight rows in which at least one weight is not 0. */
function countBlocks(
  weights: Float32Array,
  { rows, columns }: { rows: number; columns: number },
): Record<Exclude<SparseFormat, 'dense'>, number> {
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
