import { getSystemErrorName } from 'node:util'
import { BioError } from '@bio/errors'
import type { NativeSampler } from '../native/binding.js'

/** What all counters of a sampler gave at one moment. */
export interface CounterRow {
  /** When the reads had ended, in seconds of this thread's `performance.now()`. */
  readonly time: number
  /** When they had begun. */
  readonly since: number
  /** A number per counter, or why there is none. */
  readonly values: readonly (number | string)[]
}

/** Rows that fit the buffer of one call; a backlog takes several. */
const rowsPerCall = 64

/** The columns before the values: when a row was begun, and when it had ended. */
const times = 2

/** The least of five looks at two clocks says best how they lie to one another. */
const looks = 5

/**
 * Counters that a thread of their own reads at a steady rate, however long JavaScript is busy. It keeps the newest 65,536 rows, ends with
 * `close` or when it is forgotten, and does not keep the process alive.
 */
export class CounterSampler implements Disposable {
  readonly #native: NativeSampler
  readonly #names: readonly string[]
  readonly #buffer: Float64Array
  readonly #offset: number

  /** Made by `sampleFiles` and `Nvml.sample`; `names` begin the reasons of failed reads; '' where those name themselves. */
  constructor(native: NativeSampler, names: readonly string[]) {
    this.#native = native
    this.#names = names
    this.#buffer = new Float64Array(rowsPerCall * (times + names.length)) // [rows, times and values]
    this.#offset = offsetOf(native)
  }

  /** The rows since the last call, oldest first; the last one is read now, after `close` too. */
  take(): CounterRow[] {
    const rows: CounterRow[] = []
    for (;;) {
      const count = this.#native.take(this.#buffer)
      for (let row = 0; row < count; row++) rows.push(this.#row(row * (times + this.#names.length)))
      if (count < rowsPerCall) return rows
    }
  }

  /** Rows that had to make room for newer ones before anybody took them. */
  get lost(): number {
    return this.#native.lost()
  }

  close(): void {
    this.#native.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #row(start: number): CounterRow {
    const values = this.#names.map((name, index) => {
      const value = this.#buffer[start + times + index]!
      return value >= 0 ? value : this.#failure(name, -value - 1)
    })
    return {
      since: this.#buffer[start]! + this.#offset,
      time: this.#buffer[start + 1]! + this.#offset,
      values,
    }
  }

  #failure(name: string, index: number): string {
    const { system, text = 'the read failed' } = this.#native.failure(index) ?? {}
    if (system !== undefined) return `${name}: ${getSystemErrorName(-system)}`
    return name === '' ? text : `${name} ${text}`
  }
}

/** Reads per second, as both makers of samplers take them. */
export function checkHertz(operation: string, hertz: number): void {
  if (hertz >= 0.01 && hertz <= 1000) return
  const expected = 'hertz to be a number from 0.01 to 1000'
  throw new BioError('ERR_BIO_VALUE', { operation, expected, received: String(hertz) })
}

function offsetOf(native: NativeSampler): number {
  let best = { offset: 0, width: Infinity }
  for (let look = 0; look < looks; look++) {
    const before = performance.now()
    const seconds = native.now()
    const after = performance.now()
    const width = after - before
    if (width < best.width) best = { offset: (before + after) / 2000 - seconds, width }
  }
  return best.offset
}
