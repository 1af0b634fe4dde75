import { isBioError } from '@bio/errors'
import type { Context } from 'hono'
import { ZodError } from 'zod'

/** What an OpenAI client reads of an error. */
interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly code: string | null
    readonly param: string | null
  }
}

type Status = 400 | 404 | 413 | 429 | 500 | 503 | 504

const statuses: Readonly<Record<string, Status>> = {
  ERR_BIO_QUEUE_FULL: 429,
  ERR_BIO_DRAINING: 503,
  ERR_BIO_ENGINE: 503,
  ERR_BIO_DEADLINE: 504,
  ERR_BIO_VALUE: 400,
  ERR_BIO_SHAPE: 400,
  ERR_BIO_INDEX: 400,
  ERR_BIO_CONFIG: 400,
  ERR_BIO_REQUEST: 400,
  ERR_BIO_BODY: 413,
  ERR_BIO_CAPACITY: 400,
  ERR_BIO_UNSUPPORTED: 400,
  ERR_BIO_MODEL: 404,
}

function describe(error: unknown): { status: Status; body: ErrorBody; retryAfterMs?: number } {
  if (error instanceof ZodError) {
    const issue = error.issues[0]!
    const param = issue.path.join('.') || null
    return {
      status: 400,
      body: {
        error: {
          message: `${param ?? 'body'}: ${issue.message}`,
          type: 'invalid_request_error',
          code: 'ERR_BIO_REQUEST',
          param,
        },
      },
    }
  }
  if (isBioError(error)) {
    const status = statuses[error.code] ?? 500
    const { retryAfterMs } = error as { retryAfterMs?: number }
    const type = status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error'
    return {
      status,
      body: { error: { message: error.message, type, code: error.code, param: null } },
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }
  }
  // Whoever runs the server must see what the client must not.
  console.error(error)
  return {
    status: 500,
    body: {
      error: { message: 'the server failed', type: 'server_error', code: 'ERR_BIO_INTERNAL', param: null },
    },
  }
}

/** The error as a response: 429 with Retry-After when the queue is full, 503 while draining or without an engine. */
export function errorResponse(context: Context, error: unknown): Response {
  const { status, body, retryAfterMs } = describe(error)
  if (retryAfterMs !== undefined) context.header('Retry-After', String(Math.ceil(retryAfterMs / 1000)))
  if (status === 503) context.header('Connection', 'close')
  return context.json(body, status)
}

/** The error as the last event of a stream whose headers are out already. */
export function errorEvent(error: unknown): string {
  return JSON.stringify(describe(error).body)
}
