import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

/**
 * One session in a thread of its own, so that neither the arrivals nor the batchers stand still while a batch runs. Whoever calls
 * `run` more than once at a time waits in line: the session computes one batch after the other.
 */
export class Session {
  #worker
  #line = []

  static async open() {
    const worker = new Worker(new URL('./session-worker.mjs', import.meta.url))
    await once(worker, 'message')
    return new Session(worker)
  }

  constructor(worker) {
    this.#worker = worker
    worker.on('message', (outputs) => {
      this.#line.shift().resolve(outputs)
      this.#next()
    })
    worker.on('error', (error) => {
      for (const { reject } of this.#line.splice(0)) reject(error)
    })
  }

  run = (batch) => {
    const promise = new Promise((resolve, reject) => this.#line.push({ batch, resolve, reject }))
    if (this.#line.length === 1) this.#next()
    return promise
  }

  #next() {
    if (this.#line.length === 0) return
    this.#worker.postMessage(this.#line[0].batch)
  }

  /** Forgets the batches that have not begun, and resolves when the one that has is done. */
  async abandon() {
    for (const { reject } of this.#line.splice(1)) reject(new Error('abandoned'))
    while (this.#line.length > 0) await setTimeout(1)
  }

  async close() {
    await this.abandon()
    await this.#worker.terminate()
  }
}
