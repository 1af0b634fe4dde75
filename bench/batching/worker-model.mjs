// The session as the function of a batch, for whichever thread imports this.
import ort from 'onnxruntime-node'
import { joinRows, openModel, splitRows } from './model.mjs'

const model = await openModel(ort)

export async function run(batch) {
  return splitRows(await model.run(joinRows(batch)))
}
