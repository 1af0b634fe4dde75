// Starts worker threads in turn, which load the native kernels, use them and leave, every third one stopped on the way; prints what memory the process holds
// after each hundred of them, in bytes. Arguments: the built package, how many workers.
import { Worker, isMainThread, workerData } from 'node:worker_threads'

async function work(file) {
  const { getKernels } = await import(file)
  const kernels = getKernels()
  if (kernels.backend !== 'native') throw new Error('no native kernels')
  // Large enough that the pool's threads take part; the packed weights are left to the collector.
  const size = 160
  const [x, weights, out] = [1, 2, 0].map((value) => new Float32Array(size * size).fill(value))
  kernels.matmul(out, x, weights, { m: size, n: size, k: size })
  if (out.some((value) => value !== 2 * size)) throw new Error('wrong product')
  const packed = kernels.pack(weights, { dtype: 'f32', rows: size, columns: size })
  kernels.matmulPacked(out, x, packed, { m: size })
  if (out.some((value) => value !== 2 * size)) throw new Error('wrong packed product')
}

if (isMainThread) {
  const [file, count] = process.argv.slice(2)
  const resident = []
  for (let started = 1; started <= Number(count); started++) {
    await new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: file })
      worker.on('error', reject)
      // Two of three leave of their own accord; the others are stopped 0 to 38 ms after their start, before, while or after they load and use the kernels.
      if (started % 3 === 0) worker.on('online', () => setTimeout(() => worker.terminate(), started % 40))
      worker.on('exit', resolve)
    })
    if (started % 100 === 0) {
      globalThis.gc()
      resident.push(process.memoryUsage.rss())
    }
  }
  console.log(JSON.stringify(resident))
} else await work(workerData)
