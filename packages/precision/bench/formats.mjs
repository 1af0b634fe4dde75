// Time, size and error of each weight format: `node packages/precision/bench/formats.mjs` after a build. Layers of 4096 × 4096, six
// different ones in turn so that weights come from memory (f32: 384 MiB); median of 5 rounds over all of them, after one to warm up.
import { performance } from 'node:perf_hooks'
import { getKernels } from '@bio/kernels'
import { quantize } from '@bio/precision'
import { Linear, noGrad, randn, Rng, scope, Sequential } from '@bio/tensor'

const [size, depth] = [4096, 6]
const rng = new Rng(1)
const model = new Sequential(
  ...Array.from({ length: depth }, () => new Linear(size, size, { bias: false, rng })),
)

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
}

function perLayer(layers, x) {
  const times = []
  for (let round = 0; round < 6; round += 1) {
    const start = performance.now()
    noGrad(() => scope(() => layers.forward(x)))
    if (round > 0) times.push((performance.now() - start) / depth)
  }
  return median(times)
}

const kernels = getKernels()
const before = kernels.probeReadBandwidth()
console.log(
  `${kernels.backend} ${kernels.isa}, ${kernels.threads} threads, reads ${(before / 1e9).toFixed(0)} GB/s`,
)
for (const options of [
  { weights: 'f32' },
  { weights: 'bf16' },
  { weights: 'int8' },
  { weights: 'int4', groupSize: 128 },
  { weights: 'int4', groupSize: 32 },
]) {
  const { model: packed, report, dispose } = quantize(model, options)
  const times = [1, 16, 256].map((rows) => perLayer(packed, randn([rows, size], { rng })))
  const rate = report.bytes / depth / times[0] / 1e6
  console.log(
    `${options.weights} ${options.groupSize ?? ''}`.padEnd(9),
    `${((8 * report.bytes) / (depth * size * size)).toFixed(3)} bits per weight, error ${report.layers[0].relativeError.toExponential(1)},`,
    `1 row ${times[0].toFixed(2)} ms (${rate.toFixed(0)} GB/s), 16 rows ${times[1].toFixed(2)} ms, 256 rows ${times[2].toFixed(2)} ms`,
  )
  dispose()
}
