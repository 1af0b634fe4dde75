// What the way from JavaScript costs: a call with its checks over the barest call, as time and as garbage, beside one int4 layer.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { alternate } from '../../lib/alternate.mjs'
import { row } from '../../lib/rows.mjs'

const calls = 20_000

export async function javascriptPart({ kernels, noise, repetitions }) {
  kernels.setThreads(1)
  const layer = packed({ kernels, noise }, 4096)
  const least = packed({ kernels, noise }, 32)
  const many = (count, call) => () => {
    const start = process.hrtime.bigint()
    for (let index = 0; index < count; index++) call()
    return Number(process.hrtime.bigint() - start) / count
  }
  // `threads` is a getter whose whole body is a Node-API call without arguments.
  const contenders = {
    bare: many(calls, () => kernels.threads),
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
      subject: subject('call with checks over the bare call', 'int4 1×32×32, its arithmetic included'),
      ours: over,
      unit: 'ns',
      better: 'lower',
      target: 60,
      bareCall: best.bare,
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
      subject: subject('JavaScript heap per call', 'int4 1×32×32'),
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

function packed({ kernels, noise }, size) {
  const matrix = kernels.pack(noise.take(1, size * size), {
    dtype: 'int4',
    groupSize: 32,
    rows: size,
    columns: size,
  })
  const [x, out] = [noise.take(2, size), new Float32Array(size)]
  const options = { m: 1 }
  return { matrix, call: () => kernels.matmulPacked(out, x, matrix, options) }
}

/** Few enough calls that no collection comes between, after the compiler has seen the call often. */
function heapPerCall(call) {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  for (let index = 0; index < calls; index++) call()
  const growth = Array.from({ length: 5 }, () => {
    collect()
    const before = process.memoryUsage().heapUsed
    for (let index = 0; index < 2000; index++) call()
    return (process.memoryUsage().heapUsed - before) / 2000
  })
  return Math.max(0, Math.min(...growth))
}
