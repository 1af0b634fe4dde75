// Trains in a process of its own and prints what memory it held: [{ rss, heapUsed, pool }], one reading per 200 steps.
import { AdamW, crossEntropy, fromData, Linear, poolStats, randn, Rng, Sequential } from '@bio/tensor'

const rng = new Rng(1)
const model = new Sequential(new Linear(64, 128, { rng }), new Linear(128, 10, { rng }))
const optimizer = new AdamW(model.parameters(), { lr: 1e-3 })
const x = randn([32, 64], { rng })
const y = fromData(Int32Array.from({ length: 32 }, (_, row) => row % 10))

function train(steps) {
  for (let i = 0; i < steps; i++) {
    crossEntropy(model.forward(x), y).backward()
    optimizer.step()
    optimizer.zeroGrad()
  }
  globalThis.gc()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heapUsed, pool: poolStats() }
}

// The compiler and the heap find their size, the readings' own part of it too.
train(15_000)
for (let i = 0; i < 10; i++) train(200)
// In one stretch, without a turn of the event loop, as a training script has it.
console.log(JSON.stringify(Array.from({ length: 51 }, () => train(200))))
