import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { AdamW, crossEntropy, fromData, Linear, poolStats, randn, Rng, Sequential } from '../index.js'

test('10,000 training steps keep the resident memory flat within 1 %', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const rng = new Rng(1)
  const model = new Sequential(new Linear(64, 128, { rng }), new Linear(128, 10, { rng }))
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 })
  const x = randn([32, 64], { rng })
  const y = fromData(Int32Array.from({ length: 32 }, (_, row) => row % 10))
  const train = (steps: number): NodeJS.MemoryUsage => {
    for (let i = 0; i < steps; i++) {
      crossEntropy(model.forward(x), y).backward()
      optimizer.step()
      optimizer.zeroGrad()
    }
    collect()
    return process.memoryUsage()
  }
  train(15_000) // the compiler and the heap find their size
  const [start, pool] = [train(1000), poolStats()]
  // In one stretch, without a turn of the event loop, as a training script has it.
  const readings = Array.from({ length: 10 }, () => train(1000))
  const drift = readings.map(({ rss }) => rss / start.rss - 1).toSorted((a, b) => a - b)
  console.log(
    `against ${(start.rss / 2 ** 20).toFixed(1)} MiB: ${drift.map((part) => `${(100 * part).toFixed(2)} %`).join(', ')}`,
  )
  expect(poolStats()).toEqual(pool)
  // The system may hold on to a page for a moment: all but two of ten readings.
  expect(drift[7]).toBeLessThan(0.01)
  expect(readings.at(-1)!.heapUsed - start.heapUsed).toBeLessThan(2 ** 16)
})
