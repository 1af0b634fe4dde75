// Joules and seconds before running: a model fitted to sleep, a read stream and a few matrix products, then asked about shapes that it has not seen.
import { calibrateEnergyModel, EnergyMeter } from '../../../packages/energy/dist/index.js'
import { getKernels } from '../../../packages/kernels/dist/index.js'
import { printRows, row } from '../../lib/rows.mjs'
import { mean } from '../../lib/statistics.mjs'

const fitted = [
  { m: 1, n: 4096, k: 4096 },
  { m: 32, n: 2048, k: 2048 },
  { m: 256, n: 1024, k: 1024 },
  { m: 1024, n: 1024, k: 1024 },
]
const heldOut = [
  { m: 1, n: 2048, k: 8192 },
  { m: 8, n: 3072, k: 3072 },
  { m: 64, n: 2048, k: 1024 },
  { m: 512, n: 512, k: 2048 },
  { m: 768, n: 1536, k: 768 },
]

export async function predictionPart({ quick }) {
  const seconds = quick ? 0.2 : 1
  const meter = await EnergyMeter.open()
  const benchmarks = [sleep, ...fitted.map(product)]
  const model = await calibrateEnergyModel({ meter, seconds, benchmarks })
  const results = heldOut.map((shape) => predictAndRun(shape, { meter, model, seconds: 2 * seconds }))
  await meter.close()
  const subject = (figure) => ({ part: 'prediction', figure })
  const percent = { unit: '% off on average', better: 'lower' }
  const { method } = results[0].energy
  const rows = [
    row({
      subject: subject('joules of fitted work, one sample left out'),
      ours: 100 * model.leaveOneOutError,
      ...percent,
      method,
    }),
    row({
      subject: subject('joules of unseen shapes, time given'),
      ours: off(results, ({ timed, energy }) => [timed.joules, energy.joules]),
      ...percent,
      target: 10,
      method,
    }),
    row({
      subject: subject('joules of unseen shapes, time predicted'),
      ours: off(results, ({ untimed, energy }) => [untimed.joules, energy.joules]),
      ...percent,
      target: 15,
      method,
    }),
    row({
      subject: subject('seconds of unseen shapes'),
      ours: off(results, ({ untimed, took }) => [untimed.seconds, took]),
      ...percent,
      target: 10,
    }),
    row({
      subject: subject('unseen shapes whose reading lies in the predicted band'),
      ours:
        (100 *
          results.filter(
            ({ untimed, energy }) => untimed.low <= energy.joules && energy.joules <= untimed.high,
          ).length) /
        results.length,
      unit: '%',
      better: 'higher',
      method,
    }),
  ]
  printRows(
    `Prediction before running: ${model.watts.toPrecision(3)} W, ${(model.joulesPerByte * 1e12).toPrecision(3)} pJ per byte, ${(model.joulesPerFlop * 1e12).toPrecision(3)} pJ per operation`,
    rows,
  )
  return rows
}

function predictAndRun(shape, { meter, model, seconds }) {
  const { bytes, flops, run } = product(shape)
  run()
  const window = meter.begin('unseen')
  const start = performance.now()
  let calls = 0
  do {
    run()
    calls += 1
  } while (performance.now() - start < 1000 * seconds)
  const took = (performance.now() - start) / 1000
  const energy = window.end()
  const work = { bytes: calls * bytes, flops: calls * flops }
  return { energy, took, timed: model.predict({ ...work, seconds: took }), untimed: model.predict(work) }
}

const off = (results, pair) =>
  100 * mean(results.map((result) => pair(result)).map(([predicted, seen]) => Math.abs(predicted / seen - 1)))

const sleep = { bytes: 0, flops: 0, run: () => new Promise((resolve) => setTimeout(resolve, 20)) }

/** out [m, n] = a [m, k] · b [k, n] in single precision, every matrix moved once. */
function product({ m, n, k }) {
  const [a, b, out] = [m * k, k * n, m * n].map((length) => new Float32Array(length).fill(0.5))
  const run = () => getKernels().matmul(out, a, b, { m, n, k })
  return { bytes: 4 * (m * k + k * n + m * n), flops: 2 * m * n * k, run }
}
