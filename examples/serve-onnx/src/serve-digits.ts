import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Batcher } from '@bio/batching'
import { serve } from '@hono/node-server'
import { BadPicture, createApp, type DigitsBatcher } from './app.js'
import { pixelCount } from './digits-model.js'

export interface ServeOptions {
  /** The model: pictures to digits, one call for a batch. */
  readonly classify: (pictures: readonly (readonly number[])[]) => Promise<number[]>
  /** 1 serves one by one. */
  readonly maxBatchSize: number
  readonly maxQueue?: number
  readonly deadlineMs?: number
  readonly port?: number
}

export interface DigitsServer {
  readonly url: string
  readonly batcher: DigitsBatcher
  /** Takes no more requests, answers those it has, closes. */
  close(): Promise<void>
}

/** Starts the server on `port`, by default any that is free. */
export async function serveDigits(options: ServeOptions): Promise<DigitsServer> {
  const { classify, maxBatchSize, maxQueue = 256, deadlineMs = 1000, port = 0 } = options
  const batcher = new Batcher({ run: classify, maxBatchSize, maxQueue, bucket: checkPicture })
  const server = serve({
    fetch: createApp(batcher, { deadlineMs }).fetch,
    port,
    hostname: '127.0.0.1',
  }) as Server
  if (!server.listening) await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    batcher,
    async close() {
      const closed = once(server, 'close')
      server.close()
      await batcher.drain()
      // The answers are on their way; then go the connections that clients keep open for later.
      const last = setTimeout(() => server.closeAllConnections(), 200)
      await closed
      clearTimeout(last)
    },
  }
}

/** Pictures of one size share batches; what is no picture is refused here, alone, before it can spoil a batch. */
function checkPicture(pixels: readonly number[]): number {
  const isPicture =
    Array.isArray(pixels) &&
    pixels.length === pixelCount &&
    pixels.every((pixel) => Number.isFinite(pixel) && pixel >= 0 && pixel <= 1)
  if (!isPicture) throw new BadPicture(`pixels must be ${pixelCount} numbers from 0 to 1`)
  return pixels.length
}
