import { randomUUID } from 'node:crypto'
import { open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BioError } from '@bio/errors'
import type { TensorData } from '../dtype.js'
import type { Tensor } from '../tensor.js'
import { fileTypes, longestHeader } from './header.js'

const chunk = 2 ** 26 // bytes per write: one call takes less than 2 GiB

/**
 * Writes tensors as a safetensors file, readable by the Python package. Atomic: the bytes go to a temporary file beside it, are synced to
 * the disk, and take the name at the end; after a crash there is the old file or the new one. Values are written as they are at the time,
 * from the tensors' own memory: don't change them before the promise settles.
 *
 * Byte for byte what the Python package writes: widest dtypes first, then by name, so that all values are aligned. Errors: ERR_BIO_STATE (a name or metadata that the format has no
 * place for), ERR_BIO_RELEASED, ERR_BIO_IO.
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  { metadata }: { metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const parts = Object.entries(tensors)
    .map(([name, tensor]) => ({ name, tensor, data: tensor.data, place: fileTypes[tensor.dtype].place }))
    .toSorted((a, b) => a.place - b.place || (a.name < b.name ? -1 : 1))
  const header = encodeHeader(parts, metadata)
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx')
    try {
      await writeAll(file, header)
      for (const { data } of parts)
        await writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new BioError('ERR_BIO_IO', {
      operation: 'writeSafetensors',
      expected: `to write ${path}`,
      received: cause instanceof Error ? cause.message : String(cause),
      cause,
    })
  }
}

/** Length (64 bits), JSON, spaces up to a multiple of 8. */
function encodeHeader(
  parts: readonly { name: string; tensor: Tensor; data: TensorData }[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const fields: [string, unknown][] = []
  if (metadata !== undefined) {
    if (Object.values(metadata).some((value) => typeof value !== 'string'))
      refuse('metadata of strings', 'something else')
    fields.push(['__metadata__', metadata])
  }
  let begin = 0
  for (const { name, tensor, data } of parts) {
    if (name === '__metadata__') refuse('another name for a tensor', name)
    const end = begin + data.byteLength
    fields.push([
      name,
      { dtype: fileTypes[tensor.dtype].name, shape: tensor.shape, data_offsets: [begin, end] },
    ])
    begin = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)))
  const length = Math.ceil(json.length / 8) * 8
  if (length > longestHeader) refuse(`a header of at most ${longestHeader} bytes`, `${length}`)
  const header = new Uint8Array(8 + length).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true)
  header.set(json, 8)
  return header
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(chunk, bytes.length - done))
    done += bytesWritten
  }
}

/** Makes the new name last; not every system can (Windows has no handle on a folder). */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined)
  try {
    await folder?.sync().catch(() => {})
  } finally {
    await folder?.close()
  }
}

function refuse(expected: string, received: string): never {
  throw new BioError('ERR_BIO_STATE', { operation: 'writeSafetensors', expected, received })
}
