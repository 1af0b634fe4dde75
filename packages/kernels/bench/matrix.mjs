// Matrix products against this machine's own limits: `node packages/kernels/bench/matrix.mjs` after a build. Best of 20 of each.
// The weights of one-row products are 4096²: in f32 they come from memory, in int8 and int4 they may stay in a large cache.
import { performance } from 'node:perf_hooks'
import { getKernels } from '@bio/kernels'

const kernels = getKernels()
const noise = (length) => Float32Array.from({ length }, (_, i) => Math.sin(i * i))

function best(run) {
  run()
  let seconds = Infinity
  for (let i = 0; i < 20; i++) {
    const start = performance.now()
    run()
    seconds = Math.min(seconds, (performance.now() - start) / 1000)
  }
  return seconds
}

const row = (name, value, unit) => console.log(`${name.padEnd(36)} ${value.toFixed(0).padStart(6)} ${unit}`)

console.log(`${kernels.backend}, ${kernels.isa}, ${kernels.threads} threads, Node ${process.version}`)
row('limit: read from memory', kernels.probeReadBandwidth() / 1e9, 'GB/s')
for (const kind of ['f32', 'bf16', 'int8']) row(`limit: ${kind}`, kernels.probePeak(kind) / 1e9, 'Gop/s')

for (const [m, n, k] of [
  [512, 512, 512],
  [3072, 512, 192],
]) {
  const [out, a, b] = [new Float32Array(m * n), noise(m * k), noise(k * n)]
  const seconds = best(() => kernels.matmul(out, a, b, { m, n, k, transposeB: true }))
  row(`matmul ${m} × ${n} × ${k}`, (2 * m * n * k) / seconds / 1e9, 'Gop/s')
}

const size = 4096
const weights = noise(size * size)
for (const dtype of ['f32', 'bf16', 'int8', 'int4']) {
  const packed = kernels.pack(weights, { dtype, rows: size, columns: size })
  for (const m of [1, 16]) {
    const [out, x] = [new Float32Array(m * size), noise(m * size)]
    const seconds = best(() => kernels.matmulPacked(out, x, packed, { m }))
    if (m === 1) row(`matmulPacked 1 × ${size}², ${dtype}`, packed.bytes / seconds / 1e9, 'GB/s')
    else row(`matmulPacked ${m} × ${size}², ${dtype}`, (2 * m * size * size) / seconds / 1e9, 'Gop/s')
  }
  packed.dispose()
}
