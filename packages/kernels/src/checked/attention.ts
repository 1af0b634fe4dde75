import type { Backend } from '../backend.js'
import { checkArray, checkIndices, checkNumber, checkOneOf, checkSize } from '../checks.js'
import { headValues } from '../reference/paged-attention.js'
import type { AttentionOptions, Kernels, KvPages, PageShape } from '../interface.js'

type AttentionKernels = Pick<
  Kernels,
  'rotary' | 'attention' | 'attentionBackward' | 'pagedWrite' | 'pagedAttention'
>

/** Made once: a model calls these checks for every layer. */
const [above0, zero] = [{ above: 0 }, [0]]

/** Checks the shape of training attention and returns the sizes of queries, keys and statistics. */
function sizes(operation: string, options: AttentionOptions): { query: number; key: number; rows: number } {
  const { batch, length, heads, kvHeads, headDim, scale } = options
  checkSize(operation, 'batch', batch)
  checkSize(operation, 'length', length)
  checkHeads(operation, heads, kvHeads)
  checkSize(operation, 'headDim', headDim, 1)
  if (scale !== undefined) checkNumber(operation, 'scale', scale)
  return {
    query: batch * length * heads * headDim,
    key: batch * length * kvHeads * headDim,
    rows: batch * heads * length,
  }
}

function checkHeads(operation: string, heads: number, kvHeads: number): void {
  checkSize(operation, 'heads', heads, 1)
  checkSize(operation, 'kvHeads', kvHeads, 1)
  checkOneOf(operation, 'heads % kvHeads', heads % kvHeads, zero)
}

const contents = ['keys', 'values'] as const
const pageTypes = [Float32Array, Uint16Array, Int8Array] as const

/** Checks pages and returns how many slots they have. */
function checkPages(operation: string, name: string, pages: KvPages, shape: PageShape): number {
  const { kvHeads, headDim, blockTokens } = shape
  checkSize(operation, 'kvHeads', kvHeads, 1)
  checkSize(operation, 'headDim', headDim, 1)
  checkSize(operation, 'blockTokens', blockTokens, 1)
  const type = pageTypes.find((candidate) => pages instanceof candidate) ?? Float32Array
  const blockValues = kvHeads * headValues(pages, shape)
  const blocks = Math.floor(pages.length / blockValues)
  checkArray(operation, name, pages, blocks * blockValues, type)
  return blocks * blockTokens
}

/** The attention kernels of a backend, arguments checked first. */
export function checkedAttention(backend: Backend): AttentionKernels {
  return {
    rotary(out, x, positions, options) {
      const { heads, headDim, theta } = options
      checkSize('rotary', 'heads', heads, 1)
      checkSize('rotary', 'headDim', headDim, 2)
      checkOneOf('rotary', 'headDim % 2', headDim % 2, zero)
      checkNumber('rotary', 'theta', theta, above0)
      checkArray('rotary', 'positions', positions, undefined, Int32Array)
      checkArray('rotary', 'x', x, positions.length * heads * headDim)
      checkArray('rotary', 'out', out, x.length)
      checkIndices('rotary', 'positions', positions, 2 ** 31)
      backend.rotary(out, x, positions, options)
    },
    attention(out, logSumExp, q, k, v, options) {
      const { query, key, rows } = sizes('attention', options)
      checkArray('attention', 'out', out, query)
      checkArray('attention', 'q', q, query)
      checkArray('attention', 'k', k, key)
      checkArray('attention', 'v', v, key)
      checkArray('attention', 'logSumExp', logSumExp, rows)
      backend.attention(out, logSumExp, q, k, v, options)
    },
    attentionBackward(dq, dk, dv, dOut, q, k, v, out, logSumExp, options) {
      const operation = 'attentionBackward'
      const { query, key, rows } = sizes(operation, options)
      checkArray(operation, 'dq', dq, query)
      checkArray(operation, 'dOut', dOut, query)
      checkArray(operation, 'q', q, query)
      checkArray(operation, 'out', out, query)
      checkArray(operation, 'dk', dk, key)
      checkArray(operation, 'dv', dv, key)
      checkArray(operation, 'k', k, key)
      checkArray(operation, 'v', v, key)
      checkArray(operation, 'logSumExp', logSumExp, rows)
      backend.attentionBackward(dq, dk, dv, dOut, q, k, v, out, logSumExp, options)
    },
    pagedWrite(pages, rows, slots, options) {
      const slotCount = checkPages('pagedWrite', 'pages', pages, options)
      checkOneOf('pagedWrite', 'content', options.content, contents)
      checkArray('pagedWrite', 'slots', slots, undefined, Int32Array)
      checkArray('pagedWrite', 'rows', rows, slots.length * options.kvHeads * options.headDim)
      checkIndices('pagedWrite', 'slots', slots, slotCount)
      backend.pagedWrite(pages, rows, slots, options)
    },
    pagedAttention(out, q, keyPages, valuePages, options) {
      const operation = 'pagedAttention'
      const { heads, kvHeads, headDim, blockTokens, sequences, positions, blockTables, maxBlocks, scale } =
        options
      checkHeads(operation, heads, kvHeads)
      const slotCount = checkPages(operation, 'keyPages', keyPages, options)
      checkArray(
        operation,
        'valuePages',
        valuePages,
        keyPages.length,
        keyPages.constructor as typeof Float32Array,
      )
      if (scale !== undefined) checkNumber(operation, 'scale', scale)
      const tokens = positions.length
      checkArray(operation, 'positions', positions, tokens, Int32Array)
      checkArray(operation, 'sequences', sequences, tokens, Int32Array)
      checkSize(operation, 'maxBlocks', maxBlocks, 1)
      const tables = Math.floor(blockTables.length / maxBlocks)
      checkArray(operation, 'blockTables', blockTables, tables * maxBlocks, Int32Array)
      checkArray(operation, 'q', q, tokens * heads * headDim)
      checkArray(operation, 'out', out, tokens * heads * headDim)
      checkIndices(operation, 'sequences', sequences, tables)
      checkIndices(operation, 'positions', positions, maxBlocks * blockTokens)
      for (let t = 0; t < tokens; t++) {
        const from = sequences[t]! * maxBlocks
        const used = blockTables.subarray(from, from + Math.floor(positions[t]! / blockTokens) + 1)
        checkIndices(operation, 'blockTables', used, slotCount / blockTokens)
      }
      backend.pagedAttention(out, q, keyPages, valuePages, options)
    },
  }
}
