import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Reading } from '@bio/energy'
import { Decoder, decoderConfig, saveHuggingFace } from '@bio/models'
import { Rng } from '@bio/tensor'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from './engine/engine.js'
import { serve, type Server } from './serve.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-serve-'))
const config = decoderConfig({
  vocabSize: 257,
  dim: 32,
  layers: 1,
  heads: 2,
  hidden: 32,
  experts: 4,
  topK: 2,
  maxPositions: 2048,
})
let server: Server
let client: OpenAI

beforeAll(async () => {
  // The engine's worker is a built file: `npm test` builds before it tests.
  createRequire(import.meta.url).resolve('@bio/serve/engine-worker')
  await saveHuggingFace(new Decoder(config, { rng: new Rng(1) }), folder)
  server = await serve({
    folder,
    port: 0,
    modelName: 'tiny',
    weights: 'f32',
    maxQueue: 4,
    maxSequences: 4,
    threads: 1,
  })
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
})
afterAll(async () => {
  await server.close({ timeoutMs: 0 })
  rmSync(folder, { recursive: true })
})

const completion = { model: 'tiny', prompt: 'once upon a time', max_tokens: 12, temperature: 0 } as const

/** Until the engine has nothing left to do. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    const { scheduler, cache } = await server.engine.stats()
    if (scheduler.running + scheduler.waiting === 0 && cache.usedBlocks === 0) return
    await wait(10)
  }
  throw new Error('the engine is still busy')
}

describe('the openai client', () => {
  test('completes, whole and streamed, to the same text', async () => {
    const whole = await client.completions.create(completion)
    expect(whole).toMatchObject({
      object: 'text_completion',
      usage: { prompt_tokens: 16, completion_tokens: 12 },
    })
    expect(whole.choices[0]!.finish_reason).toBe('length')
    let text = ''
    let usage: unknown
    for await (const event of await client.completions.create({
      ...completion,
      stream: true,
      stream_options: { include_usage: true },
    })) {
      text += event.choices[0]?.text ?? ''
      usage = event.usage ?? usage
    }
    expect(text).toBe(whole.choices[0]!.text)
    expect(usage).toMatchObject({ prompt_tokens: 16, completion_tokens: 12, total_tokens: 28 })
  })

  test('chats, whole and streamed', async () => {
    const request = {
      model: 'tiny',
      messages: [{ role: 'user' as const, content: 'hello' }],
      max_tokens: 8,
      temperature: 0,
    }
    const whole = await client.chat.completions.create(request)
    expect(whole).toMatchObject({ object: 'chat.completion', choices: [{ message: { role: 'assistant' } }] })
    let text = ''
    for await (const event of await client.chat.completions.create({ ...request, stream: true })) {
      text += event.choices[0]?.delta.content ?? ''
    }
    expect(text).toBe(whole.choices[0]!.message.content)
  })

  test('lists the model, and is told 404 for another', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['tiny'])
    expect((await client.models.retrieve('tiny')).id).toBe('tiny')
    await expect(client.completions.create({ ...completion, model: 'other' })).rejects.toMatchObject({
      status: 404,
      code: 'ERR_BIO_MODEL',
    })
  })

  test('the same seed gives the same text, another seed another', async () => {
    const draw = async (seed: number): Promise<string> =>
      (await client.completions.create({ ...completion, temperature: 1, seed, max_tokens: 24 })).choices[0]!
        .text
    expect(await draw(1)).toBe(await draw(1))
    expect(await draw(1)).not.toBe(await draw(2))
  })

  test('a stop string ends the text before it', async () => {
    const { text } = (await client.completions.create({ ...completion, max_tokens: 40 })).choices[0]!
    const stop = text.slice(5, 7)
    const cut = await client.completions.create({ ...completion, max_tokens: 40, stop })
    expect(cut.choices[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: 'stop' })
    await idle()
  })

  test('a shared prompt is computed once', async () => {
    const prompt = 'x'.repeat(200)
    await client.completions.create({ ...completion, prompt: `${prompt}a` })
    const { usage } = await client.completions.create({ ...completion, prompt: `${prompt}b` })
    expect(usage!.prompt_tokens_details!.cached_tokens).toBe(192)
    const other = await client.completions.create({
      ...completion,
      prompt: `${prompt}c`,
      user: 'somebody else',
    })
    expect(other.usage!.prompt_tokens_details!.cached_tokens).toBe(0)
  })

  test('usage says what the completion used, how that is known, and why it is no better', async () => {
    const { usage } = await client.completions.create({ ...completion, prompt: 'once upon a time' })
    const { energy } = usage as unknown as { energy: Reading }
    // A share of a step is never measured itself.
    expect(['derived', 'estimated', 'unavailable']).toContain(energy.method)
    if (energy.joules === null) expect(energy.reasons.length).toBeGreaterThan(0)
    else expect(0 <= energy.low && energy.low <= energy.joules && energy.joules <= energy.high).toBe(true)
    if (energy.method === 'estimated') {
      expect(energy.low).toBeLessThan(energy.high!)
      expect(energy.reasons.join()).toContain('estimated from the CPU time of this process')
    }
  })

  test('many at once get what each gets alone', async () => {
    const prompts = Array.from({ length: 4 }, (_, i) => `${'shared '.repeat(10)}${i}`)
    const ask = async (prompt: string): Promise<string> =>
      (await client.completions.create({ ...completion, prompt })).choices[0]!.text
    const together = await Promise.all(prompts.map(ask))
    for (const [i, prompt] of prompts.entries()) expect(await ask(prompt)).toBe(together[i])
  })
})

describe('bad requests', () => {
  const post = (body: string): Promise<Response> =>
    fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })

  test.each([
    ['no JSON', '{'],
    ['no prompt', JSON.stringify({ model: 'tiny' })],
    ['an empty prompt', JSON.stringify({ model: 'tiny', prompt: '' })],
    ['ids outside the vocabulary', JSON.stringify({ model: 'tiny', prompt: [1, 999] })],
    ['a negative temperature', JSON.stringify({ ...completion, temperature: -1 })],
    ['two completions', JSON.stringify({ ...completion, n: 2 })],
    ['a prompt too long', JSON.stringify({ ...completion, prompt: 'x'.repeat(3000) })],
  ])('%s: 400 with a code, and the server goes on', async (_, body) => {
    const response = await post(body)
    expect(response.status).toBe(400)
    const { error } = (await response.json()) as { error: { code: string; message: string } }
    expect(error.code).toMatch(/^ERR_BIO_/)
    expect(error.message.length).toBeGreaterThan(5)
    expect((await client.completions.create({ ...completion, max_tokens: 1 })).object).toBe('text_completion')
  })

  test('another path: 404', async () => {
    expect((await fetch(`${server.url}/v2/nothing`)).status).toBe(404)
  })

  test('a body of megabytes: 413', async () => {
    expect((await post(JSON.stringify({ ...completion, prompt: 'x'.repeat(5 * 2 ** 20) }))).status).toBe(413)
  })
})

test.each([true, false])('a client that leaves stops its computation, streaming: %s', async (stream) => {
  const controller = new AbortController()
  const request = fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...completion, max_tokens: 2000, stream }),
    signal: controller.signal,
  }).then((response) => response.text())
  await wait(100)
  controller.abort()
  await expect(request).rejects.toThrow()
  const before = (await server.engine.stats()).scheduler.aborted
  await idle()
  expect((await server.engine.stats()).scheduler.aborted).toBeGreaterThanOrEqual(Math.max(1, before))
})

test('a full queue answers 429 with Retry-After, and everything accepted is answered', async () => {
  const statuses = await Promise.all(
    Array.from({ length: 24 }, async () => {
      const response = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...completion, max_tokens: 200 }),
      })
      if (response.status === 429)
        expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      await response.text()
      return response.status
    }),
  )
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0)
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(4)
  expect(statuses.every((status) => status === 200 || status === 429)).toBe(true)
})

test('health and metrics say how it stands', async () => {
  expect((await fetch(`${server.url}/health`)).status).toBe(200)
  const text = await (await fetch(`${server.url}/metrics`)).text()
  expect(text).toMatch(/bio_generation_tokens_total \d+/)
  expect(text).toMatch(
    /bio_energy_joules_total\{method="(derived|estimated)",.*\} \d|bio_energy_unknown_seconds_total\{.*\} \d/,
  )
  expect(text).toMatch(/bio_requests_total\{outcome="length"\} \d+/)
  expect(text).toContain('bio_time_to_first_token_seconds_bucket')
})

test('draining lets what was accepted finish, refuses the rest, and closes', async () => {
  const own = await serve({ folder, port: 0, modelName: 'tiny', weights: 'int4', threads: 1 })
  const ask = (maxTokens: number): Promise<Response> =>
    fetch(`${own.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...completion, max_tokens: maxTokens }),
    })
  const running = ask(400)
  await wait(60)
  const closed = own.close()
  expect(own.engine.accepting).toBe(false)
  const late = await ask(1).then(
    ({ status }) => status,
    () => 'refused',
  )
  expect([503, 'refused']).toContain(late)
  const response = await running
  expect(response.status).toBe(200)
  expect(((await response.json()) as { usage: { completion_tokens: number } }).usage.completion_tokens).toBe(
    400,
  )
  await closed
})

test('a folder without a model is refused with its code, and leaves no worker behind', async () => {
  await expect(Engine.open({ folder: tmpdir() })).rejects.toMatchObject({ code: 'ERR_BIO_IO' })
})

test('keys and values in int8 take the bytes of int8, and give the same text each time', async () => {
  const cacheBytes = 2 ** 20
  await using engine = await Engine.open({ folder, cacheBytes, kvDtype: 'int8', weights: 'f32', threads: 1 })
  const { cache } = await engine.stats()
  const { layers, kvHeads, headDim } = config
  expect(cache.blocks).toBe(Math.floor(cacheBytes / (layers * 2 * kvHeads * (headDim + 4) * 16)))
  const request = {
    prompt: Int32Array.from({ length: 50 }, (_, i) => i),
    maxTokens: 8,
    sampling: { temperature: 0 },
    stopTokens: [],
    scope: '',
  }
  const [first, again]: number[][] = [[], []]
  for await (const token of engine.generate(request)) first!.push(token)
  for await (const token of engine.generate(request)) again!.push(token)
  expect(first).toHaveLength(8)
  expect(again).toEqual(first)
})

test('a format of keys and values that does not exist is refused', async () => {
  const kvDtype = 'fp8' as 'f32'
  await expect(Engine.open({ folder, kvDtype })).rejects.toMatchObject({ code: 'ERR_BIO_CONFIG' })
})

test('a port that is taken is an error with a cure', async () => {
  const port = Number(new URL(server.url).port)
  await expect(serve({ folder, port })).rejects.toMatchObject({ code: 'ERR_BIO_IO', received: 'EADDRINUSE' })
})

test('an aborted open ends the worker', async () => {
  await expect(Engine.open({ folder }, { signal: AbortSignal.timeout(1) })).rejects.toMatchObject({
    name: 'TimeoutError',
  })
})
