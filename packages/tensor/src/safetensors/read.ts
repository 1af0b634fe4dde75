import { open, type FileHandle } from 'node:fs/promises'
import { BioError } from '@bio/errors'
import { fromData } from '../create.js'
import { arrayType } from '../dtype.js'
import type { Tensor } from '../tensor.js'
import { longestHeader, parseHeader, refuseFormat, type Entry } from './header.js'

const chunk = 2 ** 26 // bytes per read: one call takes less than 2 GiB

/**
 * Reads a safetensors file: F32, F16, BF16, I32, U8, I8. With `dtype: 'f32'` f16 and bf16 are widened; integers stay. The whole header is
 * checked before a tensor is read.
 *
 * Errors: ERR_BIO_FORMAT (not such a file, or a corrupt one: header, names, dtypes, offsets that overlap or leave gaps, truncation),
 * ERR_BIO_IO (it can't be opened or read).
 */
export async function readSafetensors(
  path: string,
  { dtype }: { dtype?: 'f32' } = {},
): Promise<{ tensors: Record<string, Tensor>; metadata: Record<string, string> }> {
  const file = await open(path, 'r').catch((cause: unknown) => refuseIo(path, cause))
  try {
    const { size } = await file.stat()
    const start = new Uint8Array(8)
    if (size < 8) refuseFormat(path, 'at least 8 bytes', `${size}`)
    await fill(file, { path, into: start, position: 0 })
    const length = new DataView(start.buffer).getBigUint64(0, true)
    if (length > BigInt(Math.min(longestHeader, size - 8))) {
      refuseFormat(path, `a header of at most ${Math.min(longestHeader, size - 8)} bytes`, `${length}`)
    }
    const header = new Uint8Array(Number(length))
    await fill(file, { path, into: header, position: 8 })
    const dataStart = 8 + header.length
    const { entries, metadata } = parseHeader(header, { path, size: size - dataStart })
    const tensors: [string, Tensor][] = []
    for (const entry of entries) {
      const tensor = await readTensor(file, entry, { path, position: dataStart + entry.begin })
      const half = tensor.dtype === 'f16' || tensor.dtype === 'bf16'
      tensors.push([entry.name, dtype === 'f32' && half ? tensor.to('f32') : tensor])
    }
    return { tensors: Object.fromEntries(tensors), metadata }
  } catch (error) {
    if (error instanceof BioError) throw error
    return refuseIo(path, error)
  } finally {
    await file.close()
  }
}

async function readTensor(
  file: FileHandle,
  { dtype, shape }: Entry,
  at: { path: string; position: number },
): Promise<Tensor> {
  const data = new (arrayType(dtype, 'readSafetensors'))(shape.reduce((product, size) => product * size, 1))
  await fill(file, { ...at, into: new Uint8Array(data.buffer) })
  return fromData(data, shape, { dtype })
}

async function fill(
  file: FileHandle,
  { path, into, position }: { path: string; into: Uint8Array; position: number },
): Promise<void> {
  for (let done = 0; done < into.length;) {
    const { bytesRead } = await file.read(into, done, Math.min(chunk, into.length - done), position + done)
    if (bytesRead === 0)
      refuseFormat(
        path,
        `${into.length} bytes from ${position}`,
        `${done}`,
        'The file was cut while it was read.',
      )
    done += bytesRead
  }
}

function refuseIo(path: string, cause: unknown): never {
  const received = cause instanceof Error ? cause.message : String(cause)
  throw new BioError('ERR_BIO_IO', {
    operation: 'readSafetensors',
    expected: `to read ${path}`,
    received,
    cause,
  })
}
