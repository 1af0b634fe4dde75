import { BioError, isBioError } from '@bio/errors'
import type { Tokenizer } from '@bio/models'
import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Engine } from '../engine/engine.js'
import { answerStream, answerWhole, chatDress, textDress, type Dress } from './answer.js'
import { completion, type Completion, type Piece } from './completion.js'
import { errorResponse } from './errors.js'
import { Metrics } from './metrics.js'
import { chatBody, completionBody, type SamplingBody } from './schema.js'

export interface AppOptions {
  readonly engine: Engine
  readonly tokenizer: Tokenizer
  /** The name that requests ask for. */
  readonly modelName: string
}

const maxBodyBytes = 4 * 2 ** 20

/** The OpenAI-compatible routes over an engine, as a Hono app: mount it in a server of your own, or use `serve`. */
export function createApp({ engine, tokenizer, modelName }: AppOptions): Hono {
  const app = new Hono()
  const metrics = new Metrics()
  const created = Math.floor(Date.now() / 1000)
  app.onError((error, context) => {
    metrics.refused(isBioError(error, 'ERR_BIO_QUEUE_FULL') ? 'queue_full' : 'error')
    return errorResponse(context, error)
  })
  app.notFound((context) =>
    errorResponse(
      context,
      requestError('ERR_BIO_MODEL', 'a path of this server', `${context.req.method} ${context.req.path}`),
    ),
  )
  const tooLarge = requestError('ERR_BIO_BODY', `a body of at most ${maxBodyBytes} bytes`, 'a larger one')
  app.use(
    '/v1/*',
    bodyLimit({ maxSize: maxBodyBytes, onError: (context) => errorResponse(context, tooLarge) }),
  )

  /** What both endpoints do once the prompt is text or ids. */
  const answer = async (
    context: Context,
    dress: Dress,
    body: SamplingBody,
    prompt: Int32Array,
    maxTokens: number | undefined,
  ) => {
    const arrival = performance.now()
    if (body.model !== modelName) throw requestError('ERR_BIO_MODEL', `the model ${modelName}`, body.model)
    const room = engine.model.maxPositions - prompt.length
    if (room < 1) {
      throw requestError(
        'ERR_BIO_REQUEST',
        `a prompt of fewer than ${engine.model.maxPositions} tokens`,
        `${prompt.length}`,
      )
    }
    const request = {
      prompt,
      maxTokens: Math.min(maxTokens ?? room, room),
      sampling: {
        temperature: body.temperature,
        topP: body.top_p,
        seed: body.seed ?? Math.floor(Math.random() * 2 ** 31),
        ...(body.top_k === undefined ? {} : { topK: body.top_k }),
      },
      stopTokens: [tokenizer.endOfText],
      scope: body.user ?? '',
    }
    const generation = engine.generate(request, { signal: context.req.raw.signal })
    await generation.accepted
    const stops = typeof body.stop === 'string' ? [body.stop] : (body.stop ?? [])
    const observed = observe(completion(generation, tokenizer, stops), metrics, arrival)
    const options = {
      dress,
      model: modelName,
      includeUsage: body.stream_options?.include_usage ?? false,
      tokenIds: body.return_token_ids ?? false,
    }
    return body.stream === true
      ? answerStream(observed, options, () => generation.abort())
      : answerWhole(context, observed, options)
  }

  app.post('/v1/completions', async (context) => {
    const body = completionBody.parse(await json(context))
    const prompt =
      typeof body.prompt === 'string' ? tokenizer.encode(body.prompt) : Int32Array.from(body.prompt)
    return answer(context, textDress, body, prompt, body.max_tokens ?? 16)
  })
  app.post('/v1/chat/completions', async (context) => {
    const body = chatBody.parse(await json(context))
    const prompt = tokenizer.encode(tokenizer.chat(body.messages))
    return answer(context, chatDress, body, prompt, body.max_completion_tokens ?? body.max_tokens)
  })
  const model = {
    id: modelName,
    object: 'model',
    created,
    owned_by: 'bio',
    max_model_len: engine.model.maxPositions,
  }
  app.get('/v1/models', (context) => context.json({ object: 'list', data: [model] }))
  app.get('/v1/models/:id', (context) => {
    if (context.req.param('id') !== modelName)
      throw requestError('ERR_BIO_MODEL', `the model ${modelName}`, context.req.param('id'))
    return context.json(model)
  })
  app.get('/health', (context) =>
    context.json({ status: engine.accepting ? 'ok' : 'unavailable' }, engine.accepting ? 200 : 503),
  )
  app.get('/metrics', async (context) => {
    const { contentType, text } = await metrics.render(await engine.stats())
    return context.body(text, 200, { 'Content-Type': contentType })
  })
  return app
}

function requestError(code: string, expected: string, received: string): BioError {
  return new BioError(code, { operation: 'request', expected, received })
}

async function json(context: Context): Promise<unknown> {
  try {
    return await context.req.json()
  } catch (error) {
    throw requestError('ERR_BIO_REQUEST', 'a body of JSON', (error as Error).message)
  }
}

/** The same completion, its times and tokens counted. */
function observe(inner: Completion, metrics: Metrics, arrival: number): Completion {
  async function* pieces(): AsyncGenerator<Piece> {
    let first = true
    for await (const piece of inner.pieces) {
      if (first) metrics.firstToken(performance.now() - arrival)
      first = false
      yield piece
    }
  }
  return {
    pieces: pieces(),
    async end() {
      const end = await inner.end()
      metrics.finished(end, performance.now() - arrival)
      return end
    },
  }
}
