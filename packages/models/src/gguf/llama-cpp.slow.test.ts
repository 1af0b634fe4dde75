import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromData, noGrad, Rng } from '@bio/tensor'
import { expect, test } from 'vitest'
import { Decoder } from '../decoder/decoder.js'
import { f32, metadataOf, q4_0, tensorsOf, writeGguf } from '../testing/gguf-writer.js'
import { tinyConfig } from '../testing/tiny.js'
import { loadGguf } from './load.js'

/** `BIO_LLAMA_CPP` names a folder in which node-llama-cpp was installed. */
const folder = process.env['BIO_LLAMA_CPP'] ?? ''
const ready = existsSync(join(folder, 'node_modules/node-llama-cpp'))
if (!ready)
  console.log('skipped: the logits of llama.cpp (BIO_LLAMA_CPP names no folder with node-llama-cpp)')

const script = fileURLToPath(
  new URL('../../../../tools/reference/llama_cpp_probabilities.mjs', import.meta.url),
)
const text = 'naïve → 🧠, and on'

test.skipIf(!ready).each([
  // llama.cpp holds keys and values in f16.
  ['a mixture of experts in F32', { ...tinyConfig }, f32, 1e-3],
  ['a dense model in F32', { ...tinyConfig, experts: 1, topK: 1 }, f32, 1e-3],
  // llama.cpp quantizes activations to 8 bits here; ours of these weights in f32 does not.
  ['a mixture of experts in Q4_0', { ...tinyConfig }, q4_0, 0.05],
] as const)(
  '%s: llama.cpp reads our file and finds the same logits and ids',
  async (name, config, encode, bound) => {
    const home = mkdtempSync(join(tmpdir(), 'bio-llama-cpp-'))
    try {
      const path = join(home, 'model.gguf')
      writeFileSync(
        path,
        writeGguf(metadataOf(config), tensorsOf(new Decoder(config, { rng: new Rng(11) }), encode)),
      )
      using loaded = await loadGguf(path, { weights: 'f32' })
      const ids = loaded.tokenizer.encode(text)
      const { stdout, stderr, status } = spawnSync('node', [script, path, ids.join(','), text], {
        cwd: folder,
        encoding: 'utf8',
      })
      expect(status, stderr).toBe(0)
      const theirs = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
        probabilities: [number, number][]
        encoded: number[]
      }
      expect(theirs.encoded).toEqual([...ids])
      const { logits } = noGrad(() => loaded.decoder.forward(fromData(ids, [ids.length]), { batch: 1 }))
      const ours = (logits.data as Float32Array).subarray((ids.length - 1) * config.vocabSize)
      const [best, highest] = theirs.probabilities[0]!
      // Their probabilities are of the likeliest tokens only: what compares is the distance from the first.
      const off = theirs.probabilities.map(([id, p]) =>
        Math.abs(Math.log(p / highest) - (ours[id]! - ours[best]!)),
      )
      console.log(`${name}: largest difference of ${off.length} logits ${Math.max(...off).toExponential(2)}`)
      expect(off.length).toBeGreaterThanOrEqual(30)
      expect(Math.max(...off)).toBeLessThan(bound)
      if (encode === f32) expect(best).toBe(ours.indexOf(Math.max(...ours)))
    } finally {
      rmSync(home, { recursive: true })
    }
  },
)
