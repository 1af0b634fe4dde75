/**
 * A port of BentoML's adaptive rule (`CorkDispatcher` and `Optimizer` in src/bentoml/_internal/marshal/dispatcher.py, commit 0053fc4,
 * Apache-2.0), written anew. With n waiting, the oldest since w₀ and the newest since wₙ, and a run of n taking a·n + b:
 *
 * - while n > 1 and w₀ + a·n + b ≥ the latency allowed, the oldest is cancelled;
 * - with n < `maxBatchSize` and n·(wₙ + 1 ms + a) ≤ 0.95 · (the mean wait of recent batches), it waits for company;
 * - else the newest n leave (the original takes from that end too), one batch at a time. It looks again every millisecond.
 *
 * a and b are fitted by least squares over 50 batches, without the first two. Departures, all in its favour: parameters are refreshed every
 * 100 ms, not every 5 s; the trial phase of batches of 1, 1, 1, 1, 2 and 3 does not hold requests back; a batch may hold
 * `maxBatchSize`, where the original stops one short.
 */
export class BentomlBatcher {
  #run
  #maxBatchSize
  #maxLatencyMs
  #waiting = []
  #running = false
  #watching = false
  #batches = 0
  #recent = []
  #refreshedAt = 0
  #perItemMs
  #perBatchMs
  #meanWaitMs = 10

  constructor({ run, maxBatchSize, maxLatencyMs }) {
    this.#run = run
    this.#maxBatchSize = maxBatchSize
    this.#maxLatencyMs = maxLatencyMs
    this.#perItemMs = Math.min(2000, maxLatencyMs / 15)
    this.#perBatchMs = Math.min(1000, maxLatencyMs / 30)
  }

  submit(input) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, arrivedAt: performance.now(), resolve, reject })
      if (!this.#watching) this.#watch()
    })
  }

  #watch() {
    if (this.#waiting.length > 0) this.#decide()
    this.#watching = this.#waiting.length > 0
    if (this.#watching) setTimeout(() => this.#watch(), 1)
  }

  #decide() {
    const now = performance.now()
    const waits = (index) => now - this.#waiting.at(index).arrivedAt
    const trial = [1, 1, 1, 1, 2, 3][this.#batches]
    // nothing is predicted before the trials are over
    const runMs = () => (trial === undefined ? this.#perItemMs * this.#waiting.length + this.#perBatchMs : 0)
    while (this.#waiting.length > 1 && waits(0) + runMs() >= this.#maxLatencyMs) this.#cancelOldest()
    const count = this.#waiting.length
    if (this.#running) {
      if (count === 1 && waits(0) >= this.#maxLatencyMs) this.#cancelOldest()
      return
    }
    const holdMs = count * (waits(-1) + 1 + this.#perItemMs)
    if (trial === undefined && count < this.#maxBatchSize && holdMs <= 0.95 * this.#meanWaitMs) return
    void this.#dispatch(trial ?? this.#maxBatchSize)
  }

  #cancelOldest() {
    this.#waiting.shift().reject(new Error('cancelled: predicted late'))
  }

  async #dispatch(size) {
    const batch = this.#waiting.splice(-size).toReversed()
    const startedAt = performance.now()
    this.#running = true
    try {
      const outputs = await this.#run(batch.map(({ input }) => input))
      batch.forEach(({ resolve }, index) => resolve(outputs[index]))
      this.#learn(batch.length, startedAt - batch.at(-1).arrivedAt, performance.now() - startedAt)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#running = false
  }

  #learn(count, waitMs, durationMs) {
    this.#batches += 1
    if (this.#batches <= 2) return
    this.#recent.push({ count, waitMs, durationMs })
    if (this.#recent.length > 50) this.#recent.shift()
    if (this.#batches > 6 && performance.now() - this.#refreshedAt < 100) return
    this.#refreshedAt = performance.now()
    this.#meanWaitMs = average(this.#recent, (sample) => sample.waitMs)
    const { slope, intercept } = fitLine(this.#recent)
    this.#perItemMs = Math.max(0.001, slope)
    this.#perBatchMs = Math.max(0, intercept)
  }

  close() {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('closed'))
  }
}

/** duration ≈ slope · count + intercept by least squares; of smallest norm where all counts are the same. */
export function fitLine(samples) {
  const count = average(samples, (sample) => sample.count)
  const duration = average(samples, (sample) => sample.durationMs)
  const variance = average(samples, (sample) => (sample.count - count) ** 2)
  const covariance = average(samples, (sample) => (sample.count - count) * (sample.durationMs - duration))
  const slope = variance > 0 ? covariance / variance : (duration * count) / (count ** 2 + 1)
  return { slope, intercept: duration - slope * count }
}

function average(samples, value) {
  return samples.reduce((sum, sample) => sum + value(sample), 0) / samples.length
}
