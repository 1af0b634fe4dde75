// What llama.cpp says after a prompt: `node llama_cpp_probabilities.mjs FILE.gguf 104,105 TEXT`, run in a folder where
// `npm install node-llama-cpp` was done (its package brings llama.cpp built). Prints JSON: the likeliest tokens as [id, probability], which
// sum to 1 among themselves, and the ids of TEXT. Version 3.22.1 was used.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [path, ids, text] = process.argv.slice(2)
const library = createRequire(join(process.cwd(), 'package.json')).resolve('node-llama-cpp')
const { getLlama } = await import(pathToFileURL(library).href)
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' })
const model = await llama.loadModel({ modelPath: path, gpuLayers: 0 })
const context = await model.createContext({ contextSize: 64, threads: 1 })
const prompt = ids.split(',').map(Number)
const ask = { generateNext: { probabilities: true, options: { temperature: 1 } } }
const outputs = await context.getSequence().controlledEvaluate([...prompt.slice(0, -1), [prompt.at(-1), ask]])
console.log(
  JSON.stringify({ probabilities: [...outputs.at(-1).next.probabilities], encoded: model.tokenize(text) }),
)
process.exit(0)
