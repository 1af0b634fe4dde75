// What the way from JavaScript costs: a call with its checks over an empty function of the addon with as many arguments, as time and as
// garbage, beside one int4 layer. `readingArguments` is the part of it that the addon takes to read them by Node-API, and nothing else.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { alternate } from '../../lib/alternate.mjs'
import { row } from '../../lib/rows.mjs'

const calls = 20_000

export async function javascriptPart({ kernels, noise, repetitions }) {
  kernels.setThreads(1)
  const layer = packed({ kernels, noise }, { size: 4096, m: 1 })
  // No row of x: all checks and conversions, and a kernel that returns at once.
  const least = packed({ kernels, noise }, { size: 32, m: 0 })
  const binding = addon()
  const given = [new Float32Array(32), new Float32Array(32), binding.packZeros('int4', 1, 32, 32, 32)]
  const many = (count, call) => () => {
    const start = process.hrtime.bigint()
    for (let index = 0; index < count; index++) call()
    return Number(process.hrtime.bigint() - start) / count
  }
  const contenders = {
    bare: many(calls, () => binding.bareCallForTest(given[0], given[1], given[2], 0, undefined)),
    reading: many(calls, () => binding.readArgumentsForTest(given[0], given[1], given[2], 0)),
    least: many(calls, least.call),
    layer: many(10, layer.call),
  }
  await alternate(contenders, 3)
  const times = await alternate(contenders, repetitions)
  const best = Object.fromEntries(Object.entries(times).map(([name, list]) => [name, Math.min(...list)]))
  const over = best.least - best.bare
  const subject = (kernel, shape) => ({ kernel, shape, threads: 1 })
  const rows = [
    row({
      subject: subject('call with checks over the bare call', 'int4 0×32×32'),
      ours: over,
      unit: 'ns',
      better: 'lower',
      target: 60,
      bareCall: best.bare,
      readingArguments: best.reading - best.bare,
    }),
    row({
      subject: subject('that, of an int4 layer from Node', 'int4 1×4096×4096'),
      ours: (100 * over) / best.layer,
      unit: '%',
      better: 'lower',
      target: 1,
      layerMicroseconds: best.layer / 1000,
    }),
    row({
      subject: subject('JavaScript heap per call', 'int4 0×32×32'),
      ours: heapPerCall(least.call),
      unit: 'bytes',
      better: 'lower',
      target: 0,
    }),
  ]
  layer.matrix.dispose()
  least.matrix.dispose()
  // A part of zero bytes is no ratio: met says it plainly.
  rows[2].met = rows[2].ours < 1
  return rows
}

function packed({ kernels, noise }, { size, m }) {
  const matrix = kernels.pack(noise.take(1, size * size), {
    dtype: 'int4',
    groupSize: 32,
    rows: size,
    columns: size,
  })
  const [x, out] = [noise.take(2, size).subarray(0, m * size), new Float32Array(size).subarray(0, m * size)]
  const options = { m }
  return { matrix, call: () => kernels.matmulPacked(out, x, matrix, options) }
}

/** The addon that the kernels of this checkout load. */
function addon() {
  const folder = new URL('../../../packages/kernels/native/', import.meta.url)
  const name = readdirSync(folder).find((file) => file.endsWith('.node'))
  return createRequire(import.meta.url)(new URL(name, folder).pathname)
}

/** The least of several windows: in the first ones the compiler's own objects are counted too. */
function heapPerCall(call) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  for (let index = 0; index < 3 * calls; index++) call()
  const growth = Array.from({ length: 10 }, () => {
    collect()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < calls; index++) call()
    return (process.memoryUsage().heapUsed - before) / calls
  })
  return Math.max(0, Math.min(...growth))
}
