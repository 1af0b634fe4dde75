import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { TokenBucket } from './token-bucket.js'

export interface FakeApi {
  readonly url: string
  /** Calls answered, and calls told to come back. */
  readonly counts: { answered: number; refused: number }
  close(): Promise<void>
}

/**
 * Stands for an embeddings API that is limited by calls: `POST { "input": [texts] }`, at most 32 → `{ "data": [vectors] }`, or 429 with
 * `Retry-After` in seconds. (An API rounds them up to whole ones; this one gives fractions, so that the example takes seconds.)
 */
export async function startFakeApi(limit: {
  readonly capacity: number
  readonly perSecond: number
}): Promise<FakeApi> {
  const bucket = new TokenBucket(limit)
  const counts = { answered: 0, refused: 0 }
  const server = createServer(async (request, response) => {
    const { input } = (await json(request)) as { input: string[] }
    if (input.length > 32) return void response.writeHead(400).end()
    const retryMs = bucket.take()
    if (retryMs > 0) {
      counts.refused += 1
      return void response.writeHead(429, { 'Retry-After': (retryMs / 1000).toFixed(3) }).end()
    }
    counts.answered += 1
    response.end(JSON.stringify({ data: input.map((text) => [text.length]) }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    counts,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
