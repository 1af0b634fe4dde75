import { random } from '../lib/random.mjs'

/** A session in virtual time: a batch of n takes 1.2 ms + 0.135 ms · n, give or take some percent, and one in 200 takes 3 ms more. */
export class VirtualSession {
  #clock
  #line = []
  #next = random(3)

  constructor(clock) {
    this.#clock = clock
  }

  run = (batch) => {
    const promise = new Promise((resolve, reject) => this.#line.push({ batch, resolve, reject }))
    if (this.#line.length === 1) this.#start()
    return promise
  }

  #start() {
    if (this.#line.length === 0) return
    const spread = 1 + 0.05 * (this.#next() + this.#next() + this.#next() + this.#next() - 2)
    const hiccup = this.#next() < 0.005 ? 3 : 0
    this.#clock.after(spread * virtualRunMs(this.#line[0].batch.length) + hiccup, () => {
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

export function virtualRunMs(size) {
  return 1.2 + 0.135 * size
}
