/**
 * The plain batcher that people tune: a batch leaves when `maxBatchSize` wait, or when the oldest has waited `maxWaitMs`; it collects
 * while one runs. One batch at a time.
 */
export class StaticBatcher {
  #run
  #maxBatchSize
  #maxWaitMs
  #waiting = []
  #running = false
  #timer

  constructor({ run, maxBatchSize, maxWaitMs }) {
    this.#run = run
    this.#maxBatchSize = maxBatchSize
    this.#maxWaitMs = maxWaitMs
  }

  submit(input) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, arrivedAt: performance.now(), resolve, reject })
      this.#dispatchIfDue()
    })
  }

  #dispatchIfDue() {
    clearTimeout(this.#timer)
    if (this.#running || this.#waiting.length === 0) return
    const waitMs = this.#waiting[0].arrivedAt + this.#maxWaitMs - performance.now()
    if (this.#waiting.length >= this.#maxBatchSize || waitMs <= 0) void this.#dispatch()
    else this.#timer = setTimeout(() => this.#dispatchIfDue(), waitMs)
  }

  async #dispatch() {
    const batch = this.#waiting.splice(0, this.#maxBatchSize)
    this.#running = true
    try {
      const outputs = await this.#run(batch.map(({ input }) => input))
      batch.forEach(({ resolve }, index) => resolve(outputs[index]))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#running = false
    this.#dispatchIfDue()
  }

  close() {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('closed'))
  }
}
