import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getKernels } from '@bio/kernels'
import { expect, test } from 'vitest'
import { ggufHeader, metadataOf } from '../testing/gguf-writer.js'
import { decoderConfig } from '../decoder/config.js'

const script = fileURLToPath(new URL('__fixtures__/load-peak.mjs', import.meta.url))
const native = getKernels().backend === 'native'
if (!native)
  console.log('skipped: the memory of a GGUF load (the TypeScript kernels hold their weights in the heap)')

const config = decoderConfig({
  vocabSize: 257, dim: 2048, layers: 8, heads: 16, hidden: 7168, experts: 2, topK: 2, maxPositions: 64,
}) // prettier-ignore

/** Writes a model of 840 million parameters in blocks of ones, without holding it. */
function write(
  path: string,
  { type, perBlock, blockBytes }: { type: number; perBlock: number; blockBytes: number },
): void {
  const { dim, hidden, experts, layers } = config
  const shapes: [string, number, readonly number[]][] = [['token_embd', type, [dim, 257]]]
  for (let layer = 0; layer < layers; layer++) {
    const name = `blk.${layer}`
    shapes.push(
      [`${name}.attn_norm`, 0, [dim]],
      [`${name}.attn_q`, type, [dim, dim]],
      [`${name}.attn_k`, type, [dim, dim]],
      [`${name}.attn_v`, type, [dim, dim]],
      [`${name}.attn_output`, type, [dim, dim]],
      [`${name}.ffn_norm`, 0, [dim]],
      [`${name}.ffn_gate_inp`, 0, [dim, experts]],
      [`${name}.ffn_gate_exps`, type, [dim, hidden, experts]],
      [`${name}.ffn_up_exps`, type, [dim, hidden, experts]],
      [`${name}.ffn_down_exps`, type, [hidden, dim, experts]],
    )
  }
  shapes.push(['output_norm', 0, [dim]], ['output', type, [dim, 257]])
  const bytesOf = (kind: number, sizes: readonly number[]): number => {
    const values = sizes.reduce((product, size) => product * size, 1)
    return kind === 0 ? values * 4 : (values / perBlock) * blockBytes
  }
  const tensors = shapes.map(([name, kind, sizes]) => ({
    name: `${name}.weight`,
    sizes,
    type: kind,
    bytes: { length: bytesOf(kind, sizes) },
  }))
  const file = openSync(path, 'w')
  writeSync(file, ggufHeader(metadataOf(config), tensors))
  const ones = Buffer.alloc(2 ** 20, 1)
  for (const { bytes } of tensors)
    for (let left = bytes.length + (-bytes.length & 31); left > 0; left -= ones.length)
      writeSync(file, ones, 0, Math.min(left, ones.length))
  closeSync(file)
}

test.skipIf(!native).each([
  ['Q4_0', { type: 2, perBlock: 32, blockBytes: 18 }],
  ['Q8_0', { type: 8, perBlock: 32, blockBytes: 34 }],
  ['Q6_K', { type: 14, perBlock: 256, blockBytes: 210 }],
])('loading a file of %s takes at most 1.1 times the memory that its packed weights take', (name, blocks) => {
  const home = mkdtempSync(join(tmpdir(), 'bio-gguf-memory-'))
  try {
    const path = join(home, 'model.gguf')
    write(path, blocks)
    const { stdout, stderr, status } = spawnSync('node', [script, path], {
      encoding: 'utf8',
    })
    expect(status, stderr).toBe(0)
    const { before, peak, packed } = JSON.parse(stdout) as { before: number; peak: number; packed: number }
    console.log(
      `${name}: ${packed >> 20} MiB packed, peak ${((peak - before) / packed).toFixed(3)} times that above the ${before >> 20} MiB of the process`,
    )
    expect(peak - before).toBeLessThan(1.1 * packed)
    expect(packed).toBeGreaterThan(2 ** 28)
  } finally {
    rmSync(home, { recursive: true })
  }
})
