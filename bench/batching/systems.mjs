// What is compared: each opens over the session's `run` as `{ submit(input) → Promise, close() }`. All may send batches of 32.
import { Batcher } from '../../packages/batching/dist/index.js'
import { peer } from '../lib/peers.mjs'
import { BentomlBatcher } from './bentoml-batcher.mjs'
import { StaticBatcher } from './static-batcher.mjs'

export const maxBatchSize = 32

/** What a hand-written batcher waits; half of what many examples say, and near the best of the static grid on this model. */
const handWrittenWaitMs = 5

/** Ours as it comes: no option but the batch size that the model allows. The requests carry the latency that they are asked to keep. */
export function ours({ run, targetMs, ...options }) {
  const batcher = new Batcher({ run, maxBatchSize, ...options })
  return {
    batcher,
    submit: (input, request = {}) => batcher.submit(input, { deadlineMs: targetMs, ...request }),
    close: () => batcher.drain({ timeoutMs: 0 }),
  }
}

export function withoutDeadlines({ run }) {
  const batcher = new Batcher({ run, maxBatchSize })
  return { submit: (input) => batcher.submit(input), close: () => batcher.drain({ timeoutMs: 0 }) }
}

export function staticPoint({ maxBatchSize: size, maxWaitMs }) {
  return ({ run }) => new StaticBatcher({ run, maxBatchSize: size, maxWaitMs })
}

/** The peers that can be had: `{ name, version, open }`. */
export async function peers() {
  const bentoml = {
    name: "BentoML's rule",
    version: 'port of 0053fc4',
    open: ({ run, targetMs }) => new BentomlBatcher({ run, maxBatchSize, maxLatencyMs: targetMs }),
  }
  const pQueue = await peer('p-queue', import.meta.url)
  const dataloader = await peer('dataloader', import.meta.url)
  return [
    bentoml,
    pQueue && { ...pQueue, open: ({ run }) => openPQueue(pQueue.exports.default, run) },
    dataloader && { ...dataloader, open: ({ run }) => openDataloader(dataloader.exports.default, run) },
  ].filter(Boolean)
}

/** A batch is flushed when full or after a while, into a queue that runs one at a time. */
function openPQueue(PQueue, run) {
  const queue = new PQueue({ concurrency: 1 })
  let batch = []
  let timer
  const flush = () => {
    clearTimeout(timer)
    const sent = batch
    batch = []
    queue
      .add(() => run(sent.map(({ input }) => input)))
      .then(
        (outputs) => sent.forEach(({ resolve }, index) => resolve(outputs[index])),
        (error) => sent.forEach(({ reject }) => reject(error)),
      )
  }
  return {
    submit: (input) =>
      new Promise((resolve, reject) => {
        batch.push({ input, resolve, reject })
        if (batch.length === 1) timer = setTimeout(flush, handWrittenWaitMs)
        if (batch.length === maxBatchSize) flush()
      }),
    close: () => {
      clearTimeout(timer)
      queue.clear()
    },
  }
}

/** With the window that its README shows; its default of one tick would batch only what arrives at the very same time. */
function openDataloader(DataLoader, run) {
  const loader = new DataLoader(run, {
    cache: false,
    maxBatchSize,
    batchScheduleFn: (dispatch) => setTimeout(dispatch, handWrittenWaitMs),
  })
  return { submit: (input) => loader.load(input), close: () => {} }
}
