// The thread that owns the session: a batch comes as a message and goes back as one.
import { parentPort } from 'node:worker_threads'
import { run } from './worker-model.mjs'

parentPort.on('message', async (batch) => parentPort.postMessage(await run(batch)))
parentPort.postMessage('ready')
