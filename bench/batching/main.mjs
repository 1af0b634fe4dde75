// `npm run bench -- batching [--json FILE] [--quick] [--only PART[:TEXT]]`, where TEXT picks traces by name
import { benchOptions } from '../lib/options.mjs'
import { machine, machineLine } from '../lib/machine.mjs'
import { peer } from '../lib/peers.mjs'
import { writeRows } from '../lib/rows.mjs'
import { median } from '../lib/statistics.mjs'
import { makeInputs } from './model.mjs'
import { eventLoopPart } from './parts/event-loop.mjs'
import { loneRequestPart } from './parts/lone-request.mjs'
import { overloadPart } from './parts/overload.mjs'
import { tenantsPart } from './parts/tenants.mjs'
import { policyPart, tracesPart } from './parts/traces.mjs'
import { Session } from './session.mjs'
import { maxBatchSize, peers } from './systems.mjs'

const parts = {
  lone: loneRequestPart,
  'event-loop': eventLoopPart,
  policy: policyPart,
  traces: tracesPart,
  tenants: tenantsPart,
  overload: overloadPart,
}
const options = benchOptions({ parts: Object.keys(parts) })
const here = machine()
console.log(machineLine(here))
const onnxruntime = await peer('onnxruntime-node', import.meta.url)
if (onnxruntime === undefined) {
  console.log('skipped: the bench (nothing to serve without onnxruntime-node)')
  process.exit(0)
}
const inputs = makeInputs(256)
const session = await Session.open()

/** The session's time for batches of one size, with the way to its thread and back. */
async function timeRun(size) {
  const times = []
  for (let repetition = 0; repetition < 40; repetition++) {
    const start = performance.now()
    await session.run(inputs.slice(0, size))
    times.push(performance.now() - start)
  }
  return median(times)
}
const sizes = [1, 2, 4, 8, 16, maxBatchSize]
await timeRun(maxBatchSize)
const times = new Map()
for (const size of sizes) times.set(size, await timeRun(size))
const runMs = (size) => times.get(size)
const capacity = (1000 * maxBatchSize) / runMs(maxBatchSize)
const targetMs = Math.round(4 * runMs(maxBatchSize))
console.log(
  `onnxruntime-node ${onnxruntime.version}, one session, one thread; ms per batch of ${sizes.join(', ')}: ` +
    `${sizes.map((size) => runMs(size).toFixed(2)).join(', ')}; batching gives ${((maxBatchSize * runMs(1)) / runMs(maxBatchSize)).toFixed(1)}×`,
)
console.log(
  `capacity ${capacity.toFixed(0)} answers/s in batches of ${maxBatchSize}; latency target ${targetMs} ms, four such batches`,
)
const context = {
  ort: onnxruntime.exports.default,
  session,
  inputs,
  capacity,
  targetMs,
  runMs,
  peers: await peers(),
  quick: options.quick,
  plays: options.plays,
}
const rows = []
for (const [name, part] of Object.entries(parts)) if (options.runs(name)) rows.push(...(await part(context)))
await session.close()
const settings = {
  quick: options.quick,
  onnxruntime: onnxruntime.version,
  runMs: Object.fromEntries(times),
  capacity,
  targetMs,
}
writeRows(options.json, { bench: 'batching', machine: here, settings, rows })
