import { basename, resolve } from 'node:path'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { BioError } from '@bio/errors'
import { loadTokenizer } from '@bio/models'
import { Engine } from './engine/engine.js'
import type { EngineOptions } from './engine/messages.js'
import { createApp } from './http/app.js'

export interface ServeOptions extends EngineOptions {
  /** Default 8080; 0 takes a free one. */
  readonly port?: number
  /** Default 127.0.0.1: reachable from this machine only. */
  readonly host?: string
  /** The name that requests ask for. Default: the name of the folder, or of the file without its ending. */
  readonly modelName?: string
}

export interface Server extends AsyncDisposable {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  readonly url: string
  readonly engine: Engine
  /** Refuses new requests (503), lets the accepted ones finish for `timeoutMs` (default 30 s), then closes. */
  close(options?: { timeoutMs?: number }): Promise<void>
}

/**
 * Serves a Hugging Face folder or a GGUF file over HTTP with OpenAI's API: `/v1/completions`, `/v1/chat/completions`, `/v1/models`, `/health`,
 * `/metrics`. Requests share batches and prompt prefixes; a client that disconnects stops its computation within one step; a full queue
 * answers 429 with Retry-After. Throws what `Engine.open` throws, and ERR_BIO_IO when the port is taken.
 */
export async function serve({
  port = 8080,
  host = '127.0.0.1',
  modelName,
  ...options
}: ServeOptions): Promise<Server> {
  const tokenizer = await loadTokenizer(options.folder)
  const engine = await Engine.open(options)
  const app = createApp({
    engine,
    tokenizer,
    modelName: modelName ?? basename(resolve(options.folder), '.gguf'),
  })
  const http = createAdaptorServer({ fetch: app.fetch })
  try {
    await new Promise<void>((listening, failed) => {
      http.once('error', failed)
      http.listen(port, host, listening)
    })
  } catch (cause) {
    await engine.drain({ timeoutMs: 0 })
    throw new BioError('ERR_BIO_IO', {
      operation: 'serve',
      expected: `a free port ${host}:${port}`,
      received: (cause as NodeJS.ErrnoException).code ?? String(cause),
      hint: 'Choose another with --port, or 0 for any free one.',
      cause,
    })
  }
  let closing: Promise<void> | undefined
  const close = async (timeoutMs: number): Promise<void> => {
    const closed = new Promise<void>((done) => http.close(() => done()))
    await engine.drain({ timeoutMs })
    if ('closeAllConnections' in http) setImmediate(() => http.closeAllConnections())
    await closed
  }
  const server: Server = {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(http.address() as AddressInfo).port}`,
    engine,
    close: ({ timeoutMs = 30_000 } = {}) => (closing ??= close(timeoutMs)),
    [Symbol.asyncDispose]: () => server.close({ timeoutMs: 0 }),
  }
  return server
}
