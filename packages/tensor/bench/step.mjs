// What an operation and a training step cost here: `pnpm --filter @bio/tensor build && node packages/tensor/bench/step.mjs`.
import { cpus } from 'node:os'
import { getKernels } from '@bio/kernels'
import { AdamW, crossEntropy, fromData, Linear, randn, Rng, Sequential } from '@bio/tensor'

const rng = new Rng(1)

/** Microseconds per call, best of 7 rounds after a warm-up of 2. */
function time(calls, fn) {
  let best = Infinity
  for (let round = -2; round < 7; round++) {
    const start = performance.now()
    for (let i = 0; i < calls; i++) fn()
    if (round >= 0) best = Math.min(best, ((performance.now() - start) * 1000) / calls)
  }
  return best
}

/** One operation of a recorded chain of 100 over 16 values, forward and backward. */
function operation(name) {
  const x = randn([16], { rng, requiresGrad: true })
  const other = randn([16], { rng })
  const chain = new Sequential()
  chain.x = x
  return () => {
    let y = x
    for (let i = 0; i < 100; i++) y = y[name](other)
    y.sum().backward()
    chain.zeroGrad()
  }
}

/** Forward, backward and AdamW of a classifier with relu between its layers. */
function step(sizes, batch) {
  const layers = sizes.slice(1).map((out, i) => new Linear(sizes[i], out, { rng }))
  const optimizer = new AdamW(new Sequential(...layers).parameters(), { lr: 1e-3 })
  const x = randn([batch, sizes[0]], { rng })
  const y = fromData(Int32Array.from({ length: batch }, (_, row) => row % sizes.at(-1)))
  return () => {
    const logits = layers.reduce((h, layer, i) => layer.forward(i === 0 ? h : h.relu()), x)
    optimizer.minimize(crossEntropy(logits, y))
  }
}

const { backend, isa, threads } = getKernels()
console.log(
  `${cpus()[0].model}, Node ${process.versions.node}, ${backend} kernels (${isa}), ${threads} threads, f32, best of 7`,
)
for (const name of ['add', 'mul', 'relu'])
  console.log(
    `${name} of 16 values, forward and backward: ${(time(2000, operation(name)) / 100).toFixed(2)} µs`,
  )
console.log(
  `step of 784-100-100-10, batch 10: ${(time(1000, step([784, 100, 100, 10], 10)) / 1000).toFixed(3)} ms`,
)
console.log(
  `step of 784-400-400-10, batch 128: ${(time(100, step([784, 400, 400, 10], 128)) / 1000).toFixed(2)} ms`,
)
