import { BioError } from '@bio/errors'
import type { KvPages } from '@bio/kernels'
import { checkInteger } from './checks.js'

/** The number format of cached keys and values; in int8 each token has a scale per head. */
export type KvDtype = 'f32' | 'bf16' | 'int8'

interface PageFormat {
  /** The array that pages are. */
  readonly Pages: new (length: number) => KvPages
  readonly valueBytes: number
  /** Per token and head. */
  readonly scaleBytes: number
}

/** What each format is made of. */
export const pageFormats: Record<KvDtype, PageFormat> = {
  f32: { Pages: Float32Array, valueBytes: 4, scaleBytes: 0 },
  bf16: { Pages: Uint16Array, valueBytes: 2, scaleBytes: 0 },
  int8: { Pages: Int8Array, valueBytes: 1, scaleBytes: 4 },
}

/** What one cache holds, and how much. */
export interface PageLayoutOptions {
  /** Transformer layers; each has pages of its own. */
  readonly layers: number
  /** Key (and value) heads per layer. */
  readonly kvHeads: number
  /** Values per head. */
  readonly headDim: number
  /** The budget for keys and values of all layers together. */
  readonly bytes: number
  /** Tokens per block. Default 16: of a sequence at most 15 slots are unused, and a prefix is shared in steps of 16. */
  readonly blockTokens?: number
  /** Default 'f32'. */
  readonly dtype?: KvDtype
}

/** Checked options, and what follows from them. */
export interface PageLayout {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  readonly blockTokens: number
  readonly dtype: KvDtype
  /** layers · 2 · kvHeads · blockTokens · bytes of a head: 4·headDim in f32, 2·headDim in bf16, headDim + 4 in int8. */
  readonly bytesPerBlock: number
  /** ⌊bytes / bytesPerBlock⌋ */
  readonly blocks: number
}

const operation = 'PagedKvCache'

/** Checks the options of a cache; throws ERR_BIO_VALUE, ERR_BIO_CONFIG (dtype), or ERR_BIO_CAPACITY for a budget below one block. */
export function pageLayout(options: PageLayoutOptions): PageLayout {
  const { layers, kvHeads, headDim, bytes, blockTokens = 16, dtype = 'f32' } = options
  checkInteger(operation, 'layers', layers, 1)
  checkInteger(operation, 'kvHeads', kvHeads, 1)
  checkInteger(operation, 'headDim', headDim, 1)
  checkInteger(operation, 'bytes', bytes, 1)
  checkInteger(operation, 'blockTokens', blockTokens, 1)
  if (!Object.hasOwn(pageFormats, dtype)) {
    throw new BioError('ERR_BIO_CONFIG', {
      operation,
      expected: `dtype as one of ${Object.keys(pageFormats).join(', ')}`,
      received: String(dtype),
    })
  }
  const { valueBytes, scaleBytes } = pageFormats[dtype]
  const headBytes = headDim * valueBytes + scaleBytes
  const bytesPerBlock = layers * 2 * kvHeads * blockTokens * headBytes
  const blocks = Math.floor(bytes / bytesPerBlock)
  if (blocks < 1) {
    throw new BioError('ERR_BIO_CAPACITY', {
      operation,
      expected: `bytes for at least one block (${bytesPerBlock})`,
      received: `${bytes} bytes`,
      hint: 'Raise bytes, or lower blockTokens.',
    })
  }
  if (blocks * blockTokens > 2 ** 31 - 1) {
    throw new BioError('ERR_BIO_CAPACITY', {
      operation,
      expected: 'at most 2³¹ − 1 slots, since a slot number is a 32-bit integer',
      received: `${blocks} blocks of ${blockTokens} tokens`,
      hint: 'Lower bytes.',
    })
  }
  return { layers, kvHeads, headDim, blockTokens, dtype, bytesPerBlock, blocks }
}
