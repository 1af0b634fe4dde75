import type { Backend } from '../backend.js'
import { checkArray, checkIndices, checkOneOf, checkSize } from '../checks.js'
import type { BlockType, Kernels } from '../interface.js'
import { blockShapes } from '../reference/blocks.js'

/** The bytes of so many values, which must be whole blocks. */
function bytesOf(operation: string, type: BlockType, name: string, values: number): number {
  checkOneOf(operation, 'type', type, Object.keys(blockShapes))
  const { values: perBlock, bytes } = blockShapes[type]
  checkSize(operation, `${name} / ${perBlock}`, values / perBlock)
  return (values / perBlock) * bytes
}

/** What a backend reads of GGUF files, arguments checked first. */
export function checkedBlocks(backend: Backend): Pick<Kernels, 'setBlocks' | 'dequantizeBlocks'> {
  return {
    setBlocks(packed, rows, blocks, type) {
      const rowBytes = bytesOf('setBlocks', type, 'columns', packed.columns)
      checkArray('setBlocks', 'rows', rows, undefined, Int32Array)
      checkIndices('setBlocks', 'rows', rows, packed.experts * packed.rows)
      checkArray('setBlocks', 'blocks', blocks, rows.length * rowBytes, Uint8Array)
      backend.setBlocks(packed, rows, blocks, type)
    },
    dequantizeBlocks(out, blocks, type) {
      checkArray('dequantizeBlocks', 'out', out)
      checkArray(
        'dequantizeBlocks',
        'blocks',
        blocks,
        bytesOf('dequantizeBlocks', type, 'values', out.length),
        Uint8Array,
      )
      backend.dequantizeBlocks(out, blocks, type)
    },
  }
}
