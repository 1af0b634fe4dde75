// What a lone request pays for the batcher: the same call directly and through it, in turns.
import { alternate } from '../../lib/alternate.mjs'
import { printRows, row } from '../../lib/rows.mjs'
import { median } from '../../lib/statistics.mjs'
import { joinRows, openModel, splitRows } from '../model.mjs'
import { ours } from '../systems.mjs'

export async function loneRequestPart({ ort, inputs, quick }) {
  const model = await openModel(ort)
  const backends = {
    'the session, in process': async (batch) => splitRows(await model.run(joinRows(batch))),
    'a run that does nothing': async (batch) => batch,
  }
  const rows = []
  for (const [backend, run] of Object.entries(backends)) {
    const { batcher, close } = ours({ run })
    const calls = {
      direct: () => run([inputs[0]]),
      none: () => batcher.submit(inputs[0]),
      deadlineMs: () => batcher.submit(inputs[0], { deadlineMs: 60_000 }),
    }
    const timed = (call) => async () => {
      const start = performance.now()
      await call()
      return 1000 * (performance.now() - start)
    }
    const contenders = Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, timed(call)]))
    await alternate(contenders, 200) // the compiler and the cost model settle
    const µs = await alternate(contenders, quick ? 500 : 3000)
    for (const options of ['none', 'deadlineMs'])
      rows.push(
        row({
          subject: { part: 'lone request', backend, options },
          ours: median(µs[options]) - median(µs.direct),
          unit: 'µs over a direct call',
          better: 'lower',
          target: 50,
          direct: median(µs.direct),
        }),
      )
    await close()
  }
  await model.close()
  printRows('A lone request over a direct call', rows)
  return rows
}
