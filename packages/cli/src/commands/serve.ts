import { serve } from '@bio/serve'
import { bytes } from '../terminal/format.js'
import { integer, modelFlags, modelOptions, parse, type Command } from './command.js'

const usage = `bio serve MODEL: serve a Hugging Face folder or a GGUF file with OpenAI's API

  --port N          port to listen on (8080; 0 takes a free one)
  --host HOST       address to listen on (127.0.0.1)
  --weights TYPE    f32, bf16, int8 or int4 (int8; a GGUF file's Q4_0: int4)
  --cache-mib N     memory for keys and values (256)
  --kv-dtype TYPE   f32, bf16 or int8: how keys and values are held (f32)
  --sequences N     requests that run together (32)
  --queue N         requests that may wait (256)
  --name NAME       the model name that requests ask for (the folder's name)`

const flags = {
  port: { type: 'string' },
  host: { type: 'string' },
  'cache-mib': { type: 'string' },
  ...modelFlags,
  sequences: { type: 'string' },
  queue: { type: 'string' },
  name: { type: 'string' },
} as const

export const serveModel: Command = {
  summary: 'serve a Hugging Face folder or a GGUF file with OpenAI’s API',
  async run(args, signal) {
    const parsed = parse(args, { usage, flags })
    if (parsed === undefined) return
    const { values, positionals } = parsed
    const server = await serve({
      folder: positionals[0] ?? '.',
      port: integer(values.port, { name: 'port', low: 0, high: 65_535, otherwise: 8080 }),
      host: values.host ?? '127.0.0.1',
      cacheBytes:
        integer(values['cache-mib'], { name: 'cache-mib', low: 1, high: 2 ** 20, otherwise: 256 }) * 2 ** 20,
      maxSequences: integer(values.sequences, { name: 'sequences', low: 1, high: 4096, otherwise: 32 }),
      maxQueue: integer(values.queue, { name: 'queue', low: 1, high: 1e6, otherwise: 256 }),
      ...modelOptions(values),
      ...(values.name === undefined ? {} : { modelName: values.name }),
    })
    console.log(
      `bio: serving ${bytes(server.engine.model.weightBytes)} of weights at ${server.url}/v1 (Ctrl-C drains and stops)`,
    )
    await new Promise<void>((stop) => signal.addEventListener('abort', () => stop(), { once: true }))
    console.log('bio: draining')
    await server.close()
  },
}
