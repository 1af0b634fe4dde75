import { QueueFullError, type Batcher } from '@bio/batching'
import { isBioError } from '@bio/errors'
import { Hono, type Context } from 'hono'

/** An input that the model cannot take: the sender's mistake, and nobody else's. */
export class BadPicture extends Error {}

export type DigitsBatcher = Batcher<readonly number[], number>

/** `POST /digits` with `{ "pixels": [64 numbers from 0 to 1] }` → `{ "digit": 3 }`. */
export function createApp(batcher: DigitsBatcher, { deadlineMs }: { deadlineMs: number }): Hono {
  const app = new Hono()
  app.post('/digits', async (context) => {
    const body = await context.req.json<{ pixels?: readonly number[] } | null>().catch(() => null)
    try {
      // The request's own signal aborts when its client leaves: then it leaves the queue too.
      const digit = await batcher.submit(body?.pixels ?? [], { signal: context.req.raw.signal, deadlineMs })
      return context.json({ digit })
    } catch (error) {
      return refuse(context, error)
    }
  })
  return app
}

function refuse(context: Context, error: unknown): Response {
  if (error instanceof BadPicture) return context.json({ error: error.message }, 400)
  if (error instanceof QueueFullError) {
    context.header('Retry-After', String(Math.ceil(error.retryAfterMs / 1000)))
    return context.json({ error: 'too many requests' }, 429)
  }
  if (isBioError(error, 'ERR_BIO_DEADLINE')) return context.json({ error: 'too late' }, 504)
  if (isBioError(error, 'ERR_BIO_CLOSED')) return context.json({ error: 'shutting down' }, 503)
  if (context.req.raw.signal.aborted) return context.body(null) // nobody reads it
  throw error
}
