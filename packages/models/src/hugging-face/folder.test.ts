import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { tinyConfig, tinyDecoder } from '../testing/tiny.js'
import { loadHuggingFace, saveHuggingFace } from './folder.js'

const home = mkdtempSync(join(tmpdir(), 'bio-models-'))
afterAll(() => rmSync(home, { recursive: true }))

test('a saved decoder comes back with the same weights, config and tokenizer', async () => {
  const decoder = tinyDecoder(5)
  await saveHuggingFace(decoder, join(home, 'round'))
  const { decoder: again, tokenizer } = await loadHuggingFace(join(home, 'round'))
  expect(again.config).toEqual(tinyConfig)
  const [before, after] = [decoder.stateDict(), again.stateDict()]
  expect(Object.keys(after)).toEqual(Object.keys(before))
  for (const [name, tensor] of Object.entries(before)) expect(after[name]!.data, name).toEqual(tensor.data)
  expect(Array.from(tokenizer.encode('naïve → 🧠'))).toEqual([...new TextEncoder().encode('naïve → 🧠')])
  expect(tokenizer.endOfText).toBe(256)
})

test('the file has Mixtral’s names, one entry per expert and part', async () => {
  await saveHuggingFace(tinyDecoder(), join(home, 'names'))
  const file = readFileSync(join(home, 'names', 'model.safetensors'))
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE())).toString()) as Record<
    string,
    { shape: number[] }
  >
  expect(header['model.layers.1.block_sparse_moe.experts.3.w2.weight']!.shape).toEqual([32, 32])
  expect(header['model.layers.0.self_attn.k_proj.weight']!.shape).toEqual([16, 32])
  expect(Object.keys(header).filter((name) => name !== '__metadata__')).toHaveLength(3 + 2 * (7 + 4 * 3))
})

async function broken(change: (folder: string) => void): Promise<unknown> {
  const folder = mkdtempSync(join(home, 'broken-'))
  await saveHuggingFace(tinyDecoder(), folder)
  change(folder)
  return loadHuggingFace(folder).then(
    () => 'loaded',
    (error: { code: string }) => error.code,
  )
}

const edit = (name: string, change: Record<string, unknown>) => (folder: string) => {
  const path = join(folder, name)
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...change }))
}

test.each([
  ['no config', (folder: string) => rmSync(join(folder, 'config.json')), 'ERR_BIO_IO'],
  ['no weights', (folder: string) => rmSync(join(folder, 'model.safetensors')), 'ERR_BIO_IO'],
  [
    'a config that is no JSON',
    (folder: string) => writeFileSync(join(folder, 'config.json'), '{'),
    'ERR_BIO_FORMAT',
  ],
  [
    'weights cut short',
    (folder: string) => writeFileSync(join(folder, 'model.safetensors'), Buffer.alloc(100)),
    'ERR_BIO_FORMAT',
  ],
  ['another architecture', edit('config.json', { model_type: 'llama' }), 'ERR_BIO_UNSUPPORTED'],
  ['a sliding window', edit('config.json', { sliding_window: 4096 }), 'ERR_BIO_UNSUPPORTED'],
  [
    'scaled positions',
    edit('config.json', { rope_parameters: { rope_type: 'yarn', factor: 4 } }),
    'ERR_BIO_UNSUPPORTED',
  ],
  ['a config of another shape', edit('config.json', { intermediate_size: 64 }), 'ERR_BIO_FORMAT'],
  ['a size that is no number', edit('config.json', { hidden_size: '32' }), 'ERR_BIO_CONFIG'],
  ['no end of text', edit('tokenizer_config.json', { eos_token: null }), 'ERR_BIO_FORMAT'],
])('%s is refused with its code', async (_, change, code) => {
  expect(await broken(change)).toBe(code)
})
