import { DigitsModel } from './digits-model.js'
import { fireLoad } from './fire-load.js'
import { serveDigits } from './serve-digits.js'

const port = process.argv[2]
await (port === undefined ? compare() : serveUntilTerminated(Number(port)))

/** The same load twice, one picture per run and up to 32; then it stops. */
async function compare(): Promise<void> {
  for (const [name, maxBatchSize] of [
    ['one by one', 1],
    ['batched', 32],
  ] as const) {
    const model = await DigitsModel.open()
    const server = await serveDigits({ classify: model.classify, maxBatchSize })
    await fireLoad(server.url, { requests: 500, clients: 64 }) // the compiler settles
    model.runs = 0
    const { answers, right, seconds } = await fireLoad(server.url, { requests: 4000, clients: 64 })
    await server.close()
    console.log(
      `${`${name}:`.padEnd(12)}${answers} answers (${right} right) in ${seconds.toFixed(1)} s, ${model.runs} runs of the model`,
    )
  }
}

/** A server as one deploys it: on SIGTERM it takes no more, answers what it has accepted, and ends. */
async function serveUntilTerminated(atPort: number): Promise<void> {
  const model = await DigitsModel.open()
  const server = await serveDigits({ classify: model.classify, maxBatchSize: 32, port: atPort })
  console.log(`listening on ${server.url}`)
  process.once('SIGTERM', () => void server.close())
}
