// What the event loop feels while batches run: with the session in a worker of the batcher, and with it in this thread.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Batcher } from '../../../packages/batching/dist/index.js'
import { printRows, row } from '../../lib/rows.mjs'
import { playClosed } from '../load.mjs'
import { maxBatchSize } from '../systems.mjs'

const clients = 48

export async function eventLoopPart({ inputs, quick }) {
  const milliseconds = quick ? 2000 : 8000
  const module = new URL('../worker-model.mjs', import.meta.url)
  const idle = await delayWhile(() => sleep(milliseconds))
  const inWorker = await serve({ workers: { module, count: 1 } }, { inputs, milliseconds })
  const { run } = await import(module.href)
  const inProcess = await serve({ run }, { inputs, milliseconds })
  const rows = [
    row({
      subject: { part: 'event loop', figure: `p99 delay, ${clients} clients in a closed loop, one worker` },
      ours: inWorker.delayMs,
      unit: 'ms (1 ms of it the monitor’s own timer)',
      better: 'lower',
      target: 2,
      answersPerSecond: inWorker.perSecond,
      peers: [
        { name: 'idle', value: idle },
        { name: 'in process', value: inProcess.delayMs, answersPerSecond: inProcess.perSecond },
      ],
    }),
  ]
  printRows('Event-loop delay', rows)
  return rows
}

async function serve(options, { inputs, milliseconds }) {
  const batcher = new Batcher({ maxBatchSize, ...options })
  await batcher.submit(inputs[0]) // the worker has loaded its model
  let answers = 0
  const submit = async (index) => {
    await batcher.submit(inputs[index % inputs.length])
    answers += 1
  }
  const delayMs = await delayWhile(() =>
    playClosed({ clients, thinkMs: 0, milliseconds, submit, graceMs: 100 }),
  )
  await batcher.drain()
  return { delayMs, perSecond: (1000 * answers) / milliseconds }
}

async function delayWhile(action) {
  const monitor = monitorEventLoopDelay({ resolution: 1 })
  monitor.enable()
  await action()
  monitor.disable()
  return monitor.percentile(99) / 1e6
}
