// `npm run bench -- energy [--json FILE] [--quick] [--only PART]`
import { benchOptions } from '../lib/options.mjs'
import { machine, machineLine } from '../lib/machine.mjs'
import { writeRows } from '../lib/rows.mjs'
import { documentsPart } from './parts/documents.mjs'
import { faultsPart } from './parts/faults.mjs'
import { predictionPart } from './parts/prediction.mjs'
import { requestsPart } from './parts/requests.mjs'
import { samplerPart } from './parts/sampler.mjs'
import { windowsPart } from './parts/windows.mjs'

const parts = {
  windows: windowsPart,
  sampler: samplerPart,
  faults: faultsPart,
  requests: requestsPart,
  prediction: predictionPart,
  documents: documentsPart,
}
const options = benchOptions({ parts: Object.keys(parts) })
const here = machine()
console.log(machineLine(here))
const rows = []
for (const [name, part] of Object.entries(parts)) {
  if (options.runs(name)) rows.push(...(await part({ quick: options.quick })))
}
writeRows(options.json, { bench: 'energy', machine: here, settings: { quick: options.quick }, rows })
