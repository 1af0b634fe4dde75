// Numbers that ours and the peers share without a copy on the wire: one file of noise, of which every tensor is a stretch.
import { writeFileSync } from 'node:fs'
import { random } from '../lib/random.mjs'

/** Prime, so that no two layers begin at the same phase of anything. */
const poolLength = 16_777_259

export class Noise {
  #pool

  constructor(length = poolLength) {
    const next = random(1)
    this.#pool = Float32Array.from({ length }, () => 2 * next() - 1)
  }

  /** Uniform in [-1, 1): the pool from a start that depends on the seed, wrapping around its end. `peers/noise.py` is the twin. */
  take(seed, length) {
    const out = new Float32Array(length)
    let start = (seed * 104729) % this.#pool.length
    for (let done = 0; done < length; start = 0) {
      const part = this.#pool.subarray(start, start + length - done)
      out.set(part, done)
      done += part.length
    }
    return out
  }

  write(path) {
    writeFileSync(path, new Uint8Array(this.#pool.buffer))
  }
}
