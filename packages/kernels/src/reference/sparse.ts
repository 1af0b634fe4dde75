import { BioError } from '@bio/errors'
import type { SparseFormat, SparseMatrix } from '../interface.js'
import { matmulPacked, ReferencePackedMatrix } from './packed.js'

/** Weight rows that share a column. */
const heights = { csr: 1, '4x1': 4, '16x1': 16 } as const

interface Blocks {
  readonly height: number
  /** Where the blocks of each row block begin, [row blocks + 1]. */
  readonly starts: readonly number[]
  /** Column of each block, ascending in a row block. */
  readonly columns: readonly number[]
  /** [blocks, height]; rows beyond the last are 0. */
  readonly values: Float32Array
}

/** Weights as blocks of 1, 4 or 16 rows that share a column in which at least one of them is not 0. */
export class ReferenceSparseMatrix implements SparseMatrix {
  readonly format: SparseFormat
  readonly rows: number
  readonly columns: number
  readonly bytes: number
  #storage: Blocks | ReferencePackedMatrix | undefined

  constructor(
    weights: Float32Array,
    { format, rows, columns }: { format: SparseFormat; rows: number; columns: number },
  ) {
    this.format = format
    this.rows = rows
    this.columns = columns
    if (format === 'dense') {
      this.#storage = new ReferencePackedMatrix(weights, { dtype: 'f32', rows, columns })
      this.bytes = this.#storage.bytes
    } else {
      this.#storage = pack(weights, { height: heights[format], rows, columns })
      const { starts, columns: stored, values } = this.#storage
      this.bytes = 4 * (starts.length + stored.length) + values.byteLength
    }
  }

  dispose(): void {
    this.#storage = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** out [m, rows] = x·Wᵀ (+ bias): each output one sum over its stored weights in ascending order of columns. */
  multiply(out: Float32Array, x: Float32Array, { m, bias }: { m: number; bias?: Float32Array }): void {
    const storage = this.#alive()
    if (storage instanceof ReferencePackedMatrix) {
      matmulPacked(out, x, storage, { m, ...(bias === undefined ? {} : { bias }) })
      return
    }
    const { height, starts, columns, values } = storage
    for (let i = 0; i < m; i++) {
      for (let row = 0; row < this.rows; row++) {
        const rowBlock = Math.floor(row / height)
        let sum = 0
        for (let block = starts[rowBlock]!; block < starts[rowBlock + 1]!; block++) {
          sum += values[block * height + (row % height)]! * x[i * this.columns + columns[block]!]!
        }
        out[i * this.rows + row] = sum
        if (bias !== undefined) out[i * this.rows + row]! += bias[row]!
      }
    }
  }

  #alive(): Blocks | ReferencePackedMatrix {
    if (this.#storage !== undefined) return this.#storage
    throw new BioError('ERR_BIO_DISPOSED', {
      operation: 'sparseMatmul',
      expected: 'a sparse matrix in use',
      received: 'one that was disposed',
    })
  }
}

function pack(
  weights: Float32Array,
  { height, rows, columns }: { height: number; rows: number; columns: number },
): Blocks {
  const [starts, stored, values]: [number[], number[], number[]] = [[0], [], []]
  for (let first = 0; first < rows; first += height) {
    for (let column = 0; column < columns; column++) {
      const block = Array.from({ length: height }, (_, i) =>
        first + i < rows ? weights[(first + i) * columns + column]! : 0,
      )
      if (block.every((weight) => weight === 0)) continue
      stored.push(column)
      values.push(...block)
    }
    starts.push(stored.length)
  }
  return { height, starts, columns: stored, values: Float32Array.from(values) }
}
