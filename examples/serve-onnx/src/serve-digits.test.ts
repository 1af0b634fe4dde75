import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { DigitsModel } from './digits-model.js'
import { drawnDigits } from './drawn-digits.js'
import { ask, fireLoad } from './fire-load.js'
import { serveDigits } from './serve-digits.js'

/** A model that answers when the test says so. */
function gatedModel() {
  const batches: number[] = []
  let open = (): void => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const classify = async (pictures: readonly (readonly number[])[]): Promise<number[]> => {
    batches.push(pictures.length)
    await gate
    return pictures.map(() => 7)
  }
  return { batches, open, classify }
}

const picture = drawnDigits[7]!

test('the model reads every drawn digit, in fewer runs than requests', async () => {
  const model = await DigitsModel.open()
  const server = await serveDigits({ classify: model.classify, maxBatchSize: 32 })
  const load = await fireLoad(server.url, { requests: 200, clients: 40 })
  await server.close()
  expect(load).toMatchObject({ answers: 200, right: 200 })
  expect(model.runs).toBeLessThan(100)
})

test.each([
  ['too few pixels', JSON.stringify({ pixels: [0, 1] })],
  ['a pixel that is no number', JSON.stringify({ pixels: picture.map(() => null) })],
  ['a body of null', 'null'],
  ['no JSON', '{'],
])('%s is refused with 400, and spoils nobody’s batch', async (_name, body) => {
  const model = await DigitsModel.open()
  const server = await serveDigits({ classify: model.classify, maxBatchSize: 32 })
  const [good, bad] = await Promise.all([
    ask(server.url, picture),
    fetch(`${server.url}/digits`, { method: 'POST', body }),
  ])
  await server.close()
  expect([good!.status, bad!.status]).toEqual([200, 400])
  expect(await good!.json()).toEqual({ digit: 7 })
})

test('a full queue answers 429 with Retry-After; who had a place is answered', async () => {
  const { classify, batches, open } = gatedModel()
  const server = await serveDigits({ classify, maxBatchSize: 1, maxQueue: 1, deadlineMs: 20_000 })
  const first = ask(server.url, picture)
  await vi.waitFor(() => expect(batches).toEqual([1]))
  const second = ask(server.url, picture)
  await vi.waitFor(() => expect(server.batcher.stats().queued).toBe(1))
  const third = await ask(server.url, picture)
  expect(third.status).toBe(429)
  expect(Number(third.headers.get('Retry-After'))).toBeGreaterThanOrEqual(1)
  open()
  expect([(await first).status, (await second).status]).toEqual([200, 200])
  await server.close()
})

test('a client that leaves takes its request out of the queue', async () => {
  const { classify, batches, open } = gatedModel()
  const server = await serveDigits({ classify, maxBatchSize: 1, deadlineMs: 20_000 })
  const first = ask(server.url, picture)
  await vi.waitFor(() => expect(batches).toEqual([1]))
  const controller = new AbortController()
  const left = ask(server.url, picture, controller.signal)
  await vi.waitFor(() => expect(server.batcher.stats().queued).toBe(1))
  controller.abort()
  await expect(left).rejects.toThrow()
  await vi.waitFor(() => expect(server.batcher.stats()).toMatchObject({ queued: 0, cancelled: 1 }))
  open()
  expect((await first).status).toBe(200)
  await server.close()
  expect(batches).toEqual([1])
})

test('what cannot be answered in time is answered with 504', async () => {
  const { classify, open } = gatedModel()
  const server = await serveDigits({ classify, maxBatchSize: 1, deadlineMs: 30 })
  expect((await ask(server.url, picture)).status).toBe(504)
  open()
  await server.close()
})

test('on SIGTERM the server answers what it has accepted, and ends well', async () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  const args = ['--import', 'tsx', '--conditions', '@bio/source', 'src/main.ts', '0']
  const server = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(server, 'exit')
  const [line] = await Promise.race([once(server.stdout, 'data'), exit])
  const url = /http:\S+/.exec(String(line))![0]
  expect((await ask(url, picture)).status).toBe(200)
  // It may come after the last connection was taken.
  const last = ask(url, picture).then(
    ({ status }) => status,
    () => 503,
  )
  server.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
  expect([200, 503]).toContain(await last)
})
