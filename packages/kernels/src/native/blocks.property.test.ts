import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BlockType, Kernels } from '../interface.js'
import { blockShapes } from '../reference/blocks.js'
import { native } from '../testing/native-tiers.js'
import { createTypeScriptKernels } from '../typescript.js'

const typescript = createTypeScriptKernels()
const backends: readonly [string, Kernels][] = [
  ['typescript', typescript],
  ...(native === undefined ? [] : ([['native', native]] as [string, Kernels][])),
]

/** Bytes and the values that ggml reads from them: `tools/reference/gguf_golden.py`. */
const golden = (name: string): Buffer =>
  readFileSync(new URL(`../../../../crates/bio-kernels/tests/golden/${name}`, import.meta.url))
const types = Object.keys(blockShapes) as BlockType[]

describe.each(backends)('%s', (_, kernels) => {
  test.each(types.filter((type) => type !== 'f32'))('%s has the bits that ggml reads', (type) => {
    const out = new Float32Array(512)
    kernels.dequantizeBlocks(out, Uint8Array.from(golden(`${type}.blocks`)), type)
    expect(Buffer.compare(Buffer.from(out.buffer), golden(`${type}.f32`))).toBe(0)
  })

  test('weights that are no numbers are refused where they would be quantized, and nothing is written', () => {
    const block = new Uint8Array(18).fill(0x7e)
    using packed = kernels.packZeros({ dtype: 'int4', rows: 1, columns: 32 })
    expect(() => kernels.setBlocks(packed, Int32Array.of(0), block, 'q4_0')).toThrow(
      expect.objectContaining({ code: 'ERR_BIO_VALUE' }) as Error,
    )
    const out = new Float32Array(32).fill(1)
    kernels.unpack(out, packed)
    expect(out.every((value) => value === 0)).toBe(true)
  })
})

test.skipIf(native === undefined)('native and TypeScript hold the same bits of any block in any format', () => {
  const formats = [
    { dtype: 'f32' },
    { dtype: 'bf16' },
    { dtype: 'int8' },
    { dtype: 'int4', groupSize: 32 },
    { dtype: 'int4', groupSize: 128 },
  ] as const
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.constantFrom(...formats),
      fc.uint8Array({ minLength: 3 * 1024, maxLength: 3 * 1024 }),
      fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 3, maxLength: 3 }),
      (type, format, bytes, rows) => {
        const { values, bytes: size } = blockShapes[type]
        const blocks = bytes.slice(0, ((3 * 256) / values) * size)
        const [a, b] = [native!, typescript].map((kernels) => {
          using packed = kernels.packZeros({ ...format, rows: 3, columns: 256, experts: 2 })
          const out = new Float32Array(6 * 256)
          try {
            kernels.setBlocks(packed, Int32Array.from(rows), blocks, type)
          } catch (error) {
            expect((error as { code: string }).code).toBe('ERR_BIO_VALUE')
            return undefined
          }
          kernels.unpack(out, packed)
          return out
        })
        expect(a).toEqual(b)
      },
    ),
    { numRuns: 150 },
  )
})
