// The thread that owns the session: a batch comes as a message and goes back as one.
import { parentPort } from 'node:worker_threads'
import ort from 'onnxruntime-node'
import { openModel } from './model.mjs'

const model = await openModel(ort)
parentPort.on('message', async (rows) => {
  const logits = await model.run(rows)
  const copy = logits.slice() // onnxruntime keeps its own memory
  parentPort.postMessage(copy, [copy.buffer])
})
parentPort.postMessage('ready')
