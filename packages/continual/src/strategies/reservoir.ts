import { BioError } from '@bio/errors'
import type { Rng } from '@bio/tensor'
import { batchOf, type Batch, type Dataset } from '../data/dataset.js'

/**
 * A fixed number of items of a stream of unknown length, each item seen kept with the same probability (Vitter 1985, algorithm R). Rows are
 * copied into arrays that are made once.
 */
export class Reservoir {
  readonly capacity: number
  readonly #rng: Rng
  #rows:
    | { x: Float32Array | Int32Array; y: Int32Array; xShape: readonly number[]; yShape: readonly number[] }
    | undefined
  #seen = 0

  constructor(capacity: number, rng: Rng) {
    if (!(Number.isSafeInteger(capacity) && capacity >= 1)) {
      throw new BioError('ERR_BIO_VALUE', {
        operation: 'Reservoir',
        expected: 'a capacity of at least 1',
        received: String(capacity),
      })
    }
    this.capacity = capacity
    this.#rng = rng
  }

  /** Items held. */
  get size(): number {
    return Math.min(this.#seen, this.capacity)
  }

  /** Items offered so far. */
  get seen(): number {
    return this.#seen
  }

  /** Offers every item of a batch. */
  add({ x, y, size }: Batch): void {
    const [xShape, yShape] = [x.shape.slice(1), y.shape.slice(1)]
    const [width, depth] = [x.size / size, y.size / size]
    const values = x.data as Float32Array | Int32Array
    this.#rows ??= {
      x:
        values instanceof Float32Array
          ? new Float32Array(this.capacity * width)
          : new Int32Array(this.capacity * width),
      y: new Int32Array(this.capacity * depth),
      xShape,
      yShape,
    }
    for (let row = 0; row < size; row++) {
      this.#seen += 1
      const place = this.#seen <= this.capacity ? this.#seen - 1 : this.#rng.int(this.#seen)
      if (place >= this.capacity) continue
      this.#rows.x.set(values.subarray(row * width, (row + 1) * width), place * width)
      this.#rows.y.set((y.data as Int32Array).subarray(row * depth, (row + 1) * depth), place * depth)
    }
  }

  /** Up to `count` different items, at random. */
  draw(count: number): Batch | undefined {
    if (this.#rows === undefined) return undefined
    const items = this.#rng.permutation(this.size).subarray(0, count)
    const held: Dataset = { ...this.#rows, size: this.size }
    return batchOf(held, items)
  }
}
