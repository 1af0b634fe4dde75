import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromData, noGrad } from '@bio/tensor'
import { expect, test } from 'vitest'
import { tinyDecoder } from '../testing/tiny.js'
import { byteTokenizer } from '../tokenizer/byte-level.js'
import { saveHuggingFace } from './folder.js'

/** `BIO_PYTHON` names an interpreter that has torch and transformers. */
const python = process.env['BIO_PYTHON'] ?? 'python3'
const ready = spawnSync(python, ['-c', 'import torch, transformers']).status === 0
if (!ready)
  console.log(`skipped: the logits of transformers (${python} lacks torch or transformers; set BIO_PYTHON)`)

test.skipIf(!ready)(
  'transformers loads a saved folder and finds the same logits to 1e-4, and the same ids',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bio-transformers-'))
    try {
      const decoder = tinyDecoder(11)
      await saveHuggingFace(decoder, folder)
      const text = 'The brain — 20 watts — é!'
      const ids = byteTokenizer().encode(text)
      const script = fileURLToPath(
        new URL('../../../../tools/reference/transformers_logits.py', import.meta.url),
      )
      const { stdout, stderr, status } = spawnSync(python, [script, folder, ids.join(',')], {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      })
      expect(status, stderr).toBe(0)
      const theirs = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
        logits: number[][]
        encoded: number[]
        architecture: string
        source: string
      }
      const { logits } = noGrad(() => decoder.forward(fromData(ids, [ids.length]), { batch: 1 }))
      const ours = logits.data as Float32Array
      const difference = Math.max(
        ...theirs.logits.flatMap((row, t) => row.map((value, id) => Math.abs(value - ours[t * 257 + id]!))),
      )
      console.log(
        `${theirs.source}: largest difference of ${ours.length} logits ${difference.toExponential(2)}`,
      )
      expect(theirs.architecture).toBe('MixtralForCausalLM')
      expect(difference).toBeLessThanOrEqual(1e-4)
      expect(theirs.encoded).toEqual(Array.from(ids))
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
