import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decoder, decoderConfig, saveHuggingFace } from '@bio/models'
import { Engine } from '@bio/serve'
import { Rng } from '@bio/tensor'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { runModel } from './run.js'
import { serveModel } from './serve.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-cli-'))
const shape = {
  vocabSize: 257,
  dim: 8,
  layers: 1,
  heads: 1,
  hidden: 8,
  experts: 2,
  topK: 2,
  maxPositions: 16,
}
beforeAll(() => saveHuggingFace(new Decoder(decoderConfig(shape), { rng: new Rng(1) }), folder))
afterAll(() => rmSync(folder, { recursive: true }))

const commands = [
  { name: 'run', command: runModel },
  { name: 'serve', command: serveModel },
]

test.each(commands)('bio $name --kv-dtype reaches the engine', async ({ command }) => {
  const open = vi.spyOn(Engine, 'open').mockRejectedValue(new Error('not opened'))
  const opened = command.run([folder, '--kv-dtype', 'int8'], new AbortController().signal)
  await expect(opened).rejects.toThrow('not opened')
  expect(open.mock.calls[0]![0]).toMatchObject({ folder, kvDtype: 'int8' })
  open.mockRestore()
})

test.each(commands)('bio $name --kv-dtype refuses another word', async ({ command }) => {
  await expect(
    command.run([folder, '--kv-dtype', 'fp8'], new AbortController().signal),
  ).rejects.toMatchObject({ code: 'ERR_BIO_ARGUMENT' })
})
