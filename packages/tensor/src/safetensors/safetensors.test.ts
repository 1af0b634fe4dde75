import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isBioError } from '@bio/errors'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readGolden } from '../__fixtures__/golden.js'
import {
  fromData,
  readSafetensors,
  tensor,
  writeSafetensors,
  zeros,
  type DType,
  type Tensor,
} from '../index.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bio-safetensors-'))
})
afterAll(() => rm(folder, { recursive: true }))
const place = (): string => join(folder, `${Math.random()}.safetensors`)

const code = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'settled',
    (error: unknown) => (isBioError(error) ? error.code : error),
  )
const shown = (tensors: Record<string, Tensor>): unknown =>
  Object.entries(tensors)
    .map(([name, { dtype, shape, data }]) => [
      name,
      dtype,
      shape,
      [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
    ])
    .toSorted()

const golden = readGolden<{ file: string; values: Record<string, string[]> }>('safetensors')
const python = Buffer.from(golden.file, 'base64')

test('a file of the Python package has the values that Python sees', async () => {
  const path = place()
  await writeFile(path, python)
  const { tensors, metadata } = await readSafetensors(path, { dtype: 'f32' })
  expect(metadata).toEqual({ format: 'pt' })
  const text = (value: number): string => {
    if (Number.isNaN(value)) return 'nan'
    if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
    return Object.is(value, -0) ? '-0' : String(value)
  }
  const numbers = (strings: string[]): string[] =>
    strings.map((s) => text(s === 'nan' ? NaN : s === 'inf' ? Infinity : Number(s)))
  expect(Object.keys(tensors).toSorted()).toEqual(Object.keys(golden.values).toSorted())
  for (const [name, values] of Object.entries(golden.values)) {
    expect(Array.from(tensors[name]!.data, text), name).toEqual(numbers(values))
  }
})

test('what is read and written again has the bytes that Python wrote', async () => {
  const [from, to] = [place(), place()]
  await writeFile(from, python)
  const { tensors, metadata } = await readSafetensors(from)
  await writeSafetensors(to, tensors, { metadata })
  expect((await readFile(to)).equals(python)).toBe(true)
})

const bytes: Record<DType, number> = { f32: 4, bf16: 2, f16: 2, i32: 4, u8: 1, i8: 1 }
const arrays = {
  f32: Float32Array,
  bf16: Uint16Array,
  f16: Uint16Array,
  i32: Int32Array,
  u8: Uint8Array,
  i8: Int8Array,
}
const anyTensor = fc
  .tuple(
    fc.constantFrom(...(Object.keys(bytes) as DType[])),
    fc.array(fc.nat(3), { maxLength: 3 }),
    fc.infiniteStream(fc.nat(255)),
  )
  .map(([dtype, shape, stream]) => {
    const size = shape.reduce((product, length) => product * length, 1) * bytes[dtype]
    const raw = Uint8Array.from({ length: size }, () => stream.next().value)
    return fromData(new arrays[dtype](raw.buffer), shape, { dtype })
  })
const anyName = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('__proto__', 'constructor', '0', '"', '\\', 'a.b'),
)

test('every dtype, shape, name and bit pattern comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          anyName.filter((name) => name !== '__metadata__'),
          anyTensor,
        ),
        { maxLength: 5 },
      ),
      async (entries) => {
        const path = place()
        const tensors = Object.fromEntries(entries)
        await writeSafetensors(path, tensors, { metadata: { key: 'värde' } })
        const back = await readSafetensors(path)
        expect(shown(back.tensors)).toEqual(shown(tensors))
        expect(back.metadata).toEqual({ key: 'värde' })
        await rm(path)
      },
    ),
    { numRuns: 60 },
  )
})

test('values are aligned to their own width', async () => {
  const path = place()
  await writeSafetensors(path, {
    a: zeros([3], { dtype: 'u8' }),
    b: zeros([1], { dtype: 'bf16' }),
    c: zeros([1]),
  })
  const written = await readFile(path)
  const length = Number(written.readBigUInt64LE(0))
  expect(length % 8).toBe(0)
  const header = JSON.parse(written.toString('utf8', 8, 8 + length)) as Record<
    string,
    { data_offsets: [number, number] }
  >
  expect([header['a'], header['b'], header['c']].map((found) => found!.data_offsets)).toEqual([
    [6, 9],
    [4, 6],
    [0, 4],
  ])
})

test('a write that fails leaves the old file and no other', async () => {
  const path = place()
  await writeSafetensors(path, { a: tensor([1]) })
  const before = await readFile(path)
  const x = tensor([1, 2], { requiresGrad: true })
  const released = x.mul(2)
  released.sum().backward()
  expect(await code(writeSafetensors(path, { a: tensor([2]), released }))).toBe('ERR_BIO_RELEASED')
  expect(await code(writeSafetensors(path, { __metadata__: x }))).toBe('ERR_BIO_STATE')
  expect(await code(writeSafetensors(path, { x }, { metadata: { a: 1 as never } }))).toBe('ERR_BIO_STATE')
  expect(await code(writeSafetensors(join(folder, 'none', 'x'), { x }))).toBe('ERR_BIO_IO')
  expect(await code(writeSafetensors(folder, { x }))).toBe('ERR_BIO_IO')
  expect((await readFile(path)).equals(before)).toBe(true)
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

test('a file that is not there, or a folder, is an error of input and output', async () => {
  expect(await code(readSafetensors(join(folder, 'none')))).toBe('ERR_BIO_IO')
  expect(await code(readSafetensors(folder))).toMatch(/^ERR_BIO_(IO|FORMAT)$/)
})

/** A file with this header and so many bytes of data. */
function file(
  header: string | Uint8Array,
  { data = 0, length }: { data?: number; length?: bigint } = {},
): Uint8Array {
  const body = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const out = new Uint8Array(8 + body.length + data)
  new DataView(out.buffer).setBigUint64(0, length ?? BigInt(body.length), true)
  out.set(body, 8)
  return out
}
const entry = (dtype: unknown, shape: unknown, offsets: unknown): unknown => ({
  dtype,
  shape,
  data_offsets: offsets,
})
const one = entry('F32', [1], [0, 4])
const json = (value: unknown, data = 4): Uint8Array => file(JSON.stringify(value), { data })

describe('a corrupt file is refused:', () => {
  test.each<[string, Uint8Array]>([
    ['empty', new Uint8Array(0)],
    ['7 bytes', new Uint8Array(7)],
    ['a header longer than the file', file('{}', { length: 3n })],
    ['a header of 2⁶³ bytes', file('{}', { length: 2n ** 63n })],
    ['a header of no bytes', file('')],
    ['not JSON', file('{"a":')],
    ['a list', file('[]')],
    ['a space first', file(' {}')],
    ['a byte order mark', file('\uFEFF{}')],
    ['bytes that are not UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))],
    ['an open string', file('{"a')],
    ['something after the object', file('{}x')],
    ['an entry that is a number', json({ a: 1 })],
    ['no dtype', json({ a: { shape: [1], data_offsets: [0, 4] } })],
    ['an unknown dtype', json({ a: entry('F64', [1], [0, 8]) }, 8)],
    ['a dtype of Object.prototype', json({ a: entry('toString', [1], [0, 4]) })],
    ['a negative size', json({ a: entry('F32', [-1, -1], [0, 4]) })],
    ['a fractional size', json({ a: entry('F32', [0.5, 2], [0, 4]) })],
    ['sizes that overflow', json({ a: entry('U8', [2 ** 30, 2 ** 30, 2 ** 30], [0, 4]) })],
    ['too many offsets', json({ a: entry('F32', [1], [0, 4, 4]) })],
    ['offsets the wrong way round', json({ a: entry('F32', [1], [4, 0]) })],
    ['offsets for another size', json({ a: entry('F32', [2], [0, 4]) })],
    ['tensors that overlap', json({ a: one, b: one })],
    ['a gap', json({ a: one, b: entry('F32', [1], [8, 12]) }, 12)],
    ['a gap at the start', json({ a: entry('F32', [1], [4, 8]) }, 8)],
    ['bytes that no tensor owns', json({ a: one }, 5)],
    ['data that end early', json({ a: one }, 3)],
    [
      'a name twice',
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}',
        { data: 4 },
      ),
    ],
    [
      'a field twice',
      file('{"a":{"dtype":"F32","dtype" \n : "I32","shape":[1],"data_offsets":[0,4]}}', { data: 4 }),
    ],
    ['deep nesting', file('{"a":'.repeat(100_000))],
    ['a shape that nests', json({ a: entry('F32', [[1]], [0, 4]) })],
    ['metadata that are not strings', json({ __metadata__: { a: 1 }, a: one })],
    ['metadata as a list', json({ __metadata__: ['a'], a: one })],
  ])('%s', async (_, content) => {
    const path = place()
    await writeFile(path, content)
    expect(await code(readSafetensors(path))).toBe('ERR_BIO_FORMAT')
  })
})

test('__metadata__ and spaces around the JSON may be missing or there', async () => {
  const path = place()
  await writeFile(path, file('{}   '))
  expect(await readSafetensors(path)).toEqual({ tensors: {}, metadata: {} })
})
