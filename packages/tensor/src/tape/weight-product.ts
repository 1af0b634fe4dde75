import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'

/** The gradient of a linear layer's weight [n, k], dyᵀ·x, not summed yet. The arrays, dy [rows, n] and x [rows, k], are its operation's. */
export class WeightProduct {
  readonly dy: Float32Array
  readonly x: Float32Array
  readonly rows: number
  readonly n: number
  readonly k: number

  constructor(dy: Float32Array, x: Float32Array, { rows, n, k }: { rows: number; n: number; k: number }) {
    this.dy = dy
    this.x = x
    this.rows = rows
    this.n = n
    this.k = k
  }

  /** Its values. A relu leaves zeros in dy. */
  sum(): Float32Array {
    const { rows, n, k } = this
    const sum = allocate(n * k)
    getKernels().matmul(sum, this.dy, this.x, { m: n, n: k, k: rows, transposeA: true, skipZeros: true })
    return sum
  }
}
