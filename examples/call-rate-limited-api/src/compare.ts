import { Batcher } from '@bio/batching'
import { embedWith, type Embed, type Vector } from './embed.js'
import { startFakeApi } from './fake-api.js'

/** The texts of each tenant, all submitted at once, tenant after tenant. */
export type Load = Readonly<Record<string, readonly string[]>>

export interface Outcome {
  readonly vectors: number
  readonly seconds: number
  /** Calls that the API answered, and calls that it told to come back. */
  readonly answered: number
  readonly refused: number
  /** For each tenant, the number of the call that brought its last vector. */
  readonly doneAtCall: Readonly<Record<string, number>>
}

type Submit = (text: string, tenant: string) => Promise<Vector>

/** A call for each text, one after the other. */
export function oneByOne(load: Load): Promise<Outcome> {
  return measure(load, (embed) => {
    let last: Promise<unknown> = Promise.resolve()
    return (text) => {
      const vector = last.then(async () => (await embed([text]))[0]!)
      last = vector
      return vector
    }
  })
}

/** A call for up to 32 texts, one at a time, tenants in turn. */
export function batched(load: Load): Promise<Outcome> {
  return measure(load, (embed) => {
    // Its default bound of 1,024 is for servers, that must refuse; a job of our own waits as long as it takes.
    const batcher = new Batcher({ run: embed, maxBatchSize: 32, maxQueue: 1_000_000 })
    return (text, tenant) => batcher.submit(text, { tenant })
  })
}

async function measure(load: Load, submitter: (embed: Embed) => Submit): Promise<Outcome> {
  const api = await startFakeApi({ capacity: 5, perSecond: 50 })
  const submit = submitter(embedWith(api.url))
  const doneAtCall: Record<string, number> = {}
  const start = performance.now()
  const vectors = await Promise.all(
    Object.entries(load).flatMap(([tenant, texts]) =>
      texts.map(async (text) => {
        const vector = await submit(text, tenant)
        doneAtCall[tenant] = api.counts.answered
        return vector
      }),
    ),
  )
  const seconds = (performance.now() - start) / 1000
  await api.close()
  return { vectors: vectors.length, seconds, ...api.counts, doneAtCall }
}
