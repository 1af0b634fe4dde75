/** Dimensions that a case may use as it likes. */
export interface Sizes {
  readonly m: number
  readonly n: number
  readonly k: number
}

/** Arguments from a seed: two sources of one seed give the same. Arrays begin at odd offsets, so that nothing is aligned by luck. */
export class Source {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1): mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** Values in ±size, as a view one element into its buffer. */
  floats(length: number, size = 1): Float32Array {
    const view = new Float32Array(length + 2).subarray(1, length + 1)
    for (let i = 0; i < length; i++) view[i] = (this.next() * 2 - 1) * size
    return view
  }

  integers(length: number, limit: number): Int32Array {
    return Int32Array.from({ length }, () => Math.floor(this.next() * limit))
  }

  /** Row ranges of one to five experts over `rows` rows, some of them empty. */
  offsets(rows: number): { offsets: Int32Array; experts: number } {
    const experts = 1 + Math.floor(this.next() * 5)
    const cuts = Array.from({ length: experts - 1 }, () => Math.floor(this.next() * (rows + 1)))
    return { offsets: Int32Array.from([0, ...cuts.toSorted((a, b) => a - b), rows]), experts }
  }
}
