import { BioError } from '@bio/errors'
import { philox, type Words } from './philox.js'

/** Everything about an `Rng`; plain JSON. */
export interface RngState {
  readonly seed: readonly [number, number]
  readonly stream: readonly [number, number]
  /** 32-bit words drawn so far. */
  readonly position: number
}

let touched: ((rng: Rng) => void) | undefined

/** Calls `listener` before each draw of any generator while `fn` runs: how `checkpoint` knows what to replay. */
export function watchDraws<T>(listener: (rng: Rng) => void, fn: () => T): T {
  const before = touched
  touched = (rng) => {
    before?.(rng)
    listener(rng)
  }
  try {
    return fn()
  } finally {
    touched = before
  }
}

/**
 * A counter-based random generator, Philox 4×32-10 (Salmon et al. 2011): the n-th word of a seed and stream is a pure function of n, so
 * the state is one number and any draw can be replayed. Same seed, stream and calls, same numbers, on every machine.
 *
 * Errors: ERR_BIO_VALUE (seed or stream not a whole number from 0 to 2⁵³ − 1; bad bounds).
 */
export class Rng {
  #seed: readonly [number, number]
  #stream: readonly [number, number]
  #position = 0
  readonly #block: Words = new Uint32Array(4)
  #loaded = -1 // which block `#block` holds

  constructor(seed: number, stream = 0) {
    this.#seed = split(seed, 'seed')
    this.#stream = split(stream, 'stream')
  }

  /** An independent generator, a function of seed, stream and the number given, not of what was drawn. */
  fork(stream: number): Rng {
    const [low, high] = split(stream, 'stream')
    const words = new Uint32Array(4)
    // Key words apart from the ones that draws use, so that a child's name is no parent's draw.
    philox(
      words,
      [low, high, this.#stream[0], this.#stream[1]],
      [this.#seed[0] ^ 0x5bf03635, this.#seed[1] ^ 0x9e3779b9],
    )
    const child = new Rng(0)
    child.setState({ seed: this.#seed, stream: [words[0]!, words[1]!], position: 0 })
    return child
  }

  /** Even in [0, 1), 53 bits. */
  next(): number {
    touched?.(this)
    const high = this.#word() >>> 5
    return (high * 2 ** 26 + (this.#word() >>> 6)) * 2 ** -53
  }

  /** A whole number, even in 0 … n − 1, n up to 2³². */
  int(n: number): number {
    if (!Number.isSafeInteger(n) || n < 1 || n > 2 ** 32) refuse('int', 'n, a whole number from 1 to 2³²', n)
    touched?.(this)
    const even = 2 ** 32 - (2 ** 32 % n) // words from here on would favour small results
    let word = this.#word()
    while (word >= even) word = this.#word()
    return word % n
  }

  /** Normal, mean 0 and standard deviation 1 (Box and Muller 1958). */
  normal(): number {
    touched?.(this)
    return this.#radius() * Math.cos(this.#angle())
  }

  /** The numbers 0 … n − 1 in random order (Fisher and Yates). */
  permutation(n: number): Int32Array {
    if (!Number.isSafeInteger(n) || n < 0 || n >= 2 ** 31)
      refuse('permutation', 'n, a whole number from 0 to 2³¹ − 1', n)
    const order = Int32Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const swapped = order[i]!
      order[i] = order[j]!
      order[j] = swapped
    }
    return order
  }

  /** Fills with values even in [low, high), 24 bits each. */
  fillUniform(out: Float32Array, { low = 0, high = 1 }: { low?: number; high?: number } = {}): void {
    if (!(Number.isFinite(low) && Number.isFinite(high) && low <= high))
      refuse('uniform', 'finite low ≤ high', `${low}, ${high}`)
    touched?.(this)
    const unit = (high - low) * 2 ** -24
    for (let i = 0; i < out.length; i++) {
      const value = Math.fround(low + (this.#word() >>> 8) * unit)
      out[i] = value < high ? value : low // rounding to f32 may reach `high`
    }
  }

  /** Fills with normal values, two for each two words. */
  fillNormal(out: Float32Array, { std = 1 }: { std?: number } = {}): void {
    if (!(Number.isFinite(std) && std >= 0)) refuse('randn', 'std, a finite number of at least 0', std)
    touched?.(this)
    for (let i = 0; i < out.length; i += 2) {
      const radius = std * this.#radius()
      const angle = this.#angle()
      out[i] = radius * Math.cos(angle)
      if (i + 1 < out.length) out[i + 1] = radius * Math.sin(angle)
    }
  }

  /** Fills with 0 (with probability p) or 1 / (1 − p), as `dropout` needs. */
  fillMask(out: Float32Array, p: number): void {
    touched?.(this)
    const limit = p * 2 ** 32
    const scale = 1 / (1 - p)
    for (let i = 0; i < out.length; i++) out[i] = this.#word() < limit ? 0 : scale
  }

  get state(): RngState {
    return { seed: this.#seed, stream: this.#stream, position: this.#position }
  }

  setState(state: RngState): void {
    const pairs = [...(state?.seed ?? []), ...(state?.stream ?? [])]
    const valid =
      pairs.length === 4 && pairs.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)
    if (!valid || !Number.isSafeInteger(state.position) || state.position < 0) {
      refuse('setState', 'the state of an Rng', JSON.stringify(state))
    }
    this.#seed = [state.seed[0], state.seed[1]]
    this.#stream = [state.stream[0], state.stream[1]]
    this.#position = state.position
    this.#loaded = -1
  }

  #word(): number {
    const place = this.#position++
    const block = Math.floor(place / 4)
    if (block !== this.#loaded) {
      philox(
        this.#block,
        [block >>> 0, Math.floor(block / 2 ** 32), this.#stream[0], this.#stream[1]],
        this.#seed,
      )
      this.#loaded = block
    }
    return this.#block[place & 3]!
  }

  #radius(): number {
    return Math.sqrt(-2 * Math.log((this.#word() + 1) * 2 ** -32))
  }

  #angle(): number {
    return 2 * Math.PI * this.#word() * 2 ** -32
  }
}

function split(value: number, name: string): readonly [number, number] {
  if (!Number.isSafeInteger(value) || value < 0)
    refuse('Rng', `${name}, a whole number from 0 to 2⁵³ − 1`, value)
  return [value >>> 0, Math.floor(value / 2 ** 32)]
}

function refuse(operation: string, expected: string, received: number | string): never {
  throw new BioError('ERR_BIO_VALUE', { operation, expected, received: String(received) })
}
