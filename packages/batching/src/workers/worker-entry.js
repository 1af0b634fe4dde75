// What a worker thread or child process runs: it imports the module, then answers one message after another. See messages.ts.
import { serialize } from 'node:v8'
import { parentPort } from 'node:worker_threads'
import { isError, refusal, toPost, toThrown } from './crossing.js'

const clone = parentPort === null ? serialize : structuredClone
const controllers = new Map()
let loaded

function post(message, transfer) {
  if (parentPort !== null) parentPort.postMessage(message, transfer)
  else if (process.connected) process.send(message, undefined, undefined, () => {}) // a parent that left needs no answer
}

async function load({ module, data }) {
  try {
    const { run } = await import(module)
    if (typeof run !== 'function') throw new TypeError('the module exports no function named run')
    loaded = { run, data }
    post({ type: 'ready' })
  } catch (error) {
    post({ type: 'failed', thrown: toThrown(error, clone) })
  }
}

async function answer({ id, inputs }) {
  const controller = new AbortController()
  controllers.set(id, controller)
  try {
    deliver(id, await loaded.run(inputs, { signal: controller.signal, data: loaded.data }))
  } catch (error) {
    post({ type: 'threw', id, thrown: toThrown(error, clone) })
  } finally {
    controllers.delete(id)
  }
}

function deliver(id, outputs) {
  if (!Array.isArray(outputs)) return post({ type: 'done', id, outputs, errors: [] })
  const errors = outputs.flatMap((output, index) =>
    isError(output) ? [[index, toThrown(output, clone)]] : [],
  )
  const rest = outputs.map((output) => (isError(output) ? undefined : output))
  try {
    postOutputs(id, rest, errors)
  } catch {
    const refused = rest.flatMap((output, index) => {
      const cause = refusal(output, clone)
      return cause === undefined ? [] : [[index, { error: uncloneable(index, cause) }]]
    })
    for (const [index] of refused) rest[index] = undefined
    postOutputs(id, rest, [...errors, ...refused])
  }
}

function postOutputs(id, outputs, errors) {
  const { values, transfer } = parentPort === null ? { values: outputs } : toPost(outputs)
  post({ type: 'done', id, outputs: values, errors }, transfer)
}

function uncloneable(index, cause) {
  const fields = {
    code: 'ERR_BIO_VALUE',
    operation: 'Batcher.run',
    expected: 'outputs that structured clone can copy out of the worker',
    received: `output ${index}: ${cause.message}`,
  }
  return { name: 'BioError', message: '', fields, bio: true, cause: toThrown(cause, clone) }
}

function receive(message) {
  if (message.type === 'load') void load(message)
  else if (message.type === 'run') void answer(message)
  else controllers.get(message.id)?.abort()
}

if (parentPort === null) {
  process.on('message', receive)
  process.on('disconnect', () => process.exit())
  // Ctrl-C and a service manager signal the whole group. The parent decides when its workers end: it may be draining.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {})
} else {
  parentPort.on('message', receive)
  parentPort.on('messageerror', (error) => {
    throw error // ends the worker, and with it the run that would wait forever
  })
}
