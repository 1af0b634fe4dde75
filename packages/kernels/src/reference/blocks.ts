import { checkFinite } from '../checks.js'
import type { BlockType } from '../interface.js'
import { f32FromBf16 } from './convert.js'
import { sum } from './elementwise.js'
import type { ReferencePackedMatrix } from './packed.js'

const { fround } = Math

/** How many values a block of each type holds, and in how many bytes, by ggml's definitions. */
export const blockShapes: Readonly<Record<BlockType, { values: number; bytes: number }>> = {
  f32: { values: 1, bytes: 4 },
  f16: { values: 1, bytes: 2 },
  bf16: { values: 1, bytes: 2 },
  q4_0: { values: 32, bytes: 18 },
  q8_0: { values: 32, bytes: 34 },
  q4_K: { values: 256, bytes: 144 },
  q6_K: { values: 256, bytes: 210 },
}

/** (−1)^s · 2^(e−15) · (1 + m/1024), or m·2⁻²⁴ where e = 0. */
function f32FromF16(half: number): number {
  const [exponent, mantissa] = [(half >> 10) & 31, half & 1023]
  const size =
    exponent === 31
      ? mantissa === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? mantissa * 2 ** -24
        : (1024 + mantissa) * 2 ** (exponent - 25)
  return half & 0x8000 ? -size : size
}

type Reader = (out: Float32Array, at: number, block: DataView) => void

const half = (block: DataView, at: number): number => f32FromF16(block.getUint16(at, true))

/** The readers of one block; `crates/bio-kernels/src/gguf/blocks.rs` draws the layouts. */
const readers: Readonly<Record<BlockType, Reader>> = {
  f32(out, at, block) {
    out[at] = block.getFloat32(0, true)
  },
  f16(out, at, block) {
    out[at] = half(block, 0)
  },
  bf16(out, at, block) {
    out[at] = f32FromBf16(block.getUint16(0, true))
  },
  q4_0(out, at, block) {
    const d = half(block, 0)
    for (let j = 0; j < 16; j++) {
      const byte = block.getUint8(2 + j)
      out[at + j] = ((byte & 15) - 8) * d
      out[at + j + 16] = ((byte >> 4) - 8) * d
    }
  },
  q8_0(out, at, block) {
    const d = half(block, 0)
    for (let j = 0; j < 32; j++) out[at + j] = block.getInt8(2 + j) * d
  },
  q4_K(out, at, block) {
    const [d, m] = [half(block, 0), half(block, 2)]
    const packed = (i: number): number => block.getUint8(4 + i)
    for (let group = 0; group < 8; group++) {
      const [s, t] =
        group < 4
          ? [packed(group) & 63, packed(group + 4) & 63]
          : [
              (packed(group + 4) & 15) | ((packed(group - 4) >> 6) << 4),
              (packed(group + 4) >> 4) | ((packed(group) >> 6) << 4),
            ]
      for (let l = 0; l < 32; l++) {
        const byte = block.getUint8(16 + (group >> 1) * 32 + l)
        // Both products are exact in f32.
        out[at + group * 32 + l] = d * s * (group % 2 === 0 ? byte & 15 : byte >> 4) - m * t
      }
    }
  },
  q6_K(out, at, block) {
    const d = half(block, 208)
    for (let i = 0; i < 256; i++) {
      const [upper, run, l] = [i >> 7, (i >> 5) & 3, i & 31]
      const low = (block.getUint8(upper * 64 + (run & 1) * 32 + l) >> ((run >> 1) * 4)) & 15
      const high = (block.getUint8(128 + upper * 32 + l) >> (run * 2)) & 3
      out[at + i] = fround(d * block.getInt8(192 + (i >> 4))) * ((low | (high << 4)) - 32)
    }
  },
}

export function dequantizeBlocks(out: Float32Array, blocks: Uint8Array, type: BlockType): void {
  const { values, bytes } = blockShapes[type]
  for (let block = 0; block < out.length / values; block++) {
    readers[type](out, block * values, new DataView(blocks.buffer, blocks.byteOffset + block * bytes, bytes))
  }
}

export function setBlocks(
  packed: ReferencePackedMatrix,
  rows: Int32Array,
  blocks: Uint8Array,
  type: BlockType,
): void {
  const { columns, dtype, groupSize } = packed
  const { values, bytes } = blockShapes[type]
  const rowBytes = (columns / values) * bytes
  const weights = new Float32Array(columns)
  const source = (i: number): Uint8Array => blocks.subarray(i * rowBytes, (i + 1) * rowBytes)
  if (dtype === 'int8' || dtype === 'int4') {
    rows.forEach((_, i) => {
      dequantizeBlocks(weights, source(i), type)
      checkFinite('setBlocks', 'blocks', sum(weights))
    })
  }
  rows.forEach((row, i) => {
    if (type === 'q4_0' && dtype === 'int4' && groupSize === 32)
      return packed.setGroups(row, ...q4Groups(source(i)))
    dequantizeBlocks(weights, source(i), type)
    packed.setRow(row, weights)
  })
}

/** A row of q4_0 as nibbles with the even column low, and scales: the same values. */
function q4Groups(blocks: Uint8Array): [nibbles: Uint8Array, scales: Float32Array] {
  const groups = blocks.length / 18
  const [nibbles, scales] = [new Uint8Array(groups * 16), new Float32Array(groups)]
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length)
  for (let g = 0; g < groups; g++) {
    scales[g] = half(view, g * 18)
    const q = blocks.subarray(g * 18 + 2, (g + 1) * 18)
    for (let i = 0; i < 8; i++) {
      nibbles[g * 16 + i] = (q[2 * i]! & 15) | ((q[2 * i + 1]! & 15) << 4)
      nibbles[g * 16 + i + 8] = (q[2 * i]! >> 4) | (q[2 * i + 1]! & 0xf0)
    }
  }
  return [nibbles, scales]
}
