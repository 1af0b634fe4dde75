import { exponential, random } from '../lib/random.mjs'

/** Milliseconds of batches of 1, 2, 4, 8, 16, 32 on onnxruntime, as measured on a Xeon: no line. */
const steps = [1.14, 1.15, 1.16, 1.6, 1.82, 3.11]

function stepsMs(size) {
  const at = Math.log2(size)
  const below = Math.floor(at)
  const [low, high = low] = steps.slice(below)
  const from = 2 ** below
  return low + ((high - low) * (size - from)) / from
}

const line = { runMs: (size) => 1.2 + 0.135 * size, stalls: 0.005, stallMs: () => 3 }

/**
 * What runs may take. All vary by some percent. On a `line`, and by `steps`, one in 200 takes 3 ms more; on a machine with `stalls`, whose host
 * gives it away now and then, one in seven takes 4 ms more on average.
 */
export const virtualModels = {
  line,
  steps: { ...line, runMs: stepsMs },
  stalls: { runMs: stepsMs, stalls: 0.15, stallMs: (next) => exponential(next, 1 / 4) },
}

/** A session in virtual time, by one of the models. */
export class VirtualSession {
  #clock
  #model
  #line = []
  #next = random(3)

  constructor(clock, model) {
    this.#clock = clock
    this.#model = model
  }

  run = (batch) => {
    const promise = new Promise((resolve, reject) => this.#line.push({ batch, resolve, reject }))
    if (this.#line.length === 1) this.#start()
    return promise
  }

  #start() {
    if (this.#line.length === 0) return
    const spread = 1 + 0.05 * (this.#next() + this.#next() + this.#next() + this.#next() - 2)
    const { runMs, stalls, stallMs } = this.#model
    const stalledMs = this.#next() < stalls ? stallMs(this.#next) : 0
    this.#clock.after(spread * runMs(this.#line[0].batch.length) + stalledMs, () => {
      const { batch, resolve } = this.#line.shift()
      resolve(batch)
      this.#start()
    })
  }

  async abandon() {
    for (const { reject } of this.#line.splice(1)) reject(new Error('abandoned'))
    while (this.#line.length > 0)
      await new Promise((resolve) => {
        setTimeout(resolve, 1)
      })
  }
}
