import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readGolden } from '../__fixtures__/golden.js'
import { readSafetensors } from '../index.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bio-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))

const whole = Buffer.from(readGolden<{ file: string }>('safetensors').file, 'base64')
const slow = process.env['BIO_SLOW'] === '1'

/** The file, and up to four of its bytes changed; most of them in the header. */
const damage = fc.array(
  fc.tuple(
    fc.oneof(fc.nat(7 + Number(whole.readBigUInt64LE())), fc.nat(whole.length - 1)),
    fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0123456789"[]{},:-.eE \\'))),
  ),
  { minLength: 1, maxLength: 4 },
)

async function outcome(content: Uint8Array): Promise<string> {
  const path = join(folder, 'damaged.safetensors')
  await writeFile(path, content)
  return readSafetensors(path).then(
    () => 'read',
    (error: { code?: string }) => error.code ?? String(error),
  )
}

test('a file with changed bytes is read or refused with a code, never anything else', async () => {
  let refused = 0
  await fc.assert(
    fc.asyncProperty(damage, async (bytes) => {
      const copy = Buffer.from(whole)
      for (const [at, value] of bytes) copy[at] = value
      const found = await outcome(copy)
      expect(found).toBeOneOf(['read', 'ERR_BIO_FORMAT'])
      if (found !== 'read') refused += 1
    }),
    { numRuns: slow ? 50_000 : 400 },
  )
  expect(refused).toBeGreaterThan(100)
})

test('a file with missing or added bytes is refused with a code', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.uint8Array({ minLength: 1, maxLength: 9 }),
      async (at, more) => {
        expect(await outcome(whole.subarray(0, at))).toBe('ERR_BIO_FORMAT')
        expect(await outcome(Buffer.concat([whole, more]))).toBe('ERR_BIO_FORMAT')
      },
    ),
    { numRuns: slow ? 5_000 : 100 },
  )
})
