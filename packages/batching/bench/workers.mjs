// What it costs to run a batch in a worker: node packages/batching/bench/workers.mjs (after npm run build).
import { Worker } from 'node:worker_threads'
import { Batcher } from '@bio/batching'

const size = 32
const rounds = 300
const source = `export function run(inputs) { if (inputs[0] === 'exit') process.exit(1); return inputs.map((input) => input.length) }`
const module = `data:text/javascript,${encodeURIComponent(source)}`
const shapes = { 'a string': () => 'hello', '1 KiB of floats': () => new Float32Array(256) }

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

async function medianMs(exchange, times) {
  for (let index = 0; index < 20; index++) await exchange()
  const ms = []
  for (let index = 0; index < times; index++) {
    const start = performance.now()
    await exchange()
    ms.push(performance.now() - start)
  }
  return median(ms)
}

/** The floor: the same inputs to a worker thread that answers, with nothing around. */
async function bareThreadMs(inputs) {
  const worker = new Worker(
    `const { parentPort } = require('worker_threads'); parentPort.on('message', (inputs) => parentPort.postMessage(inputs.map((input) => input.length)))`,
    { eval: true },
  )
  const exchange = () =>
    new Promise((resolve) => {
      worker.once('message', resolve)
      worker.postMessage(inputs)
    })
  const ms = await medianMs(exchange, rounds)
  await worker.terminate()
  return ms
}

const places = {
  'this process': { run: (inputs) => inputs.map((input) => input.length) },
  thread: { workers: { module, count: 1 } },
  process: { workers: { module, count: 1, kind: 'process' } },
}

for (const [shape, create] of Object.entries(shapes)) {
  const inputs = Array.from({ length: size }, create)
  const bare = await bareThreadMs(inputs)
  console.log(`a batch of ${size}, each ${shape}: bare thread ${(1000 * bare).toFixed(0)} µs`)
  for (const [place, options] of Object.entries(places)) {
    const batcher = new Batcher({ ...options, maxBatchSize: size })
    const batch = () => Promise.all(inputs.map((input) => batcher.submit(input)))
    console.log(`  ${place}: ${(1000 * (await medianMs(batch, rounds))).toFixed(0)} µs`)
    await batcher.drain()
  }
}

for (const kind of ['thread', 'process']) {
  const batcher = new Batcher({ workers: { module, count: 1, kind }, maxBatchSize: 1 })
  const crashAndRecover = async () => {
    await batcher.submit('exit').catch(() => {})
    await batcher.submit('back')
  }
  console.log(
    `a crash, a restart and the next answer, ${kind}: ${(await medianMs(crashAndRecover, 20)).toFixed(0)} ms`,
  )
  await batcher.drain()
}
