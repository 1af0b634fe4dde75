import { BioError } from '@bio/errors'
import type { PackedDtype, PackedMatrix, PackOptions } from '../interface.js'
import { f32FromBf16, toBf16 } from './convert.js'
import { dequantizeInt4, dequantizeInt8, quantizeInt4, quantizeInt8, quantizeRow } from './quantize.js'
import { gatherRows } from './rows.js'

const { fround } = Math

/** Weights as rows, [experts·rows, columns], with scales where the type has them. */
export class ReferencePackedMatrix implements PackedMatrix {
  readonly dtype: PackedDtype
  readonly experts: number
  readonly rows: number
  readonly columns: number
  readonly groupSize: number
  readonly bytes: number
  #values: Float32Array | Uint16Array | Int8Array | Uint8Array | undefined
  readonly #scales: Float32Array

  /** Without weights all are 0. */
  constructor(
    weights: Float32Array | undefined,
    { dtype, rows, columns, experts = 1, groupSize = 32 }: PackOptions,
  ) {
    this.dtype = dtype
    this.experts = experts
    this.rows = rows
    this.columns = columns
    this.groupSize = dtype === 'int4' ? groupSize : dtype === 'int8' ? columns : 0
    const shape = { rows: experts * rows, columns }
    const size = shape.rows * columns
    this.#scales = new Float32Array(this.groupSize === 0 ? 0 : size / this.groupSize)
    if (dtype === 'f32') this.#values = new Float32Array(size)
    else if (dtype === 'bf16') this.#values = new Uint16Array(size)
    else if (dtype === 'int8') this.#values = new Int8Array(size)
    else this.#values = new Uint8Array(size / 2).fill(0x88)
    this.bytes = this.#values.byteLength + this.#scales.byteLength
    if (weights === undefined) return
    for (let row = 0; row < shape.rows; row++)
      this.setRow(row, weights.subarray(row * columns, (row + 1) * columns))
  }

  /** Row `row` of all experts' rows becomes `weights` [columns], in the format that is held. */
  setRow(row: number, weights: Float32Array): void {
    const [values, { columns, groupSize }] = [this.#alive('pack'), this]
    const [shape, from, to] = [{ rows: 1, columns }, row * columns, (row + 1) * columns]
    if (values instanceof Float32Array) return values.set(weights, from)
    if (values instanceof Uint16Array) return toBf16(values.subarray(from, to), weights)
    if (values instanceof Int8Array)
      return quantizeInt8(values.subarray(from, to), this.#scales.subarray(row, row + 1), weights, shape)
    const [nibbles, scales] = [new Uint8Array(columns / 2), new Float32Array(columns / groupSize)]
    quantizeInt4(nibbles, scales, weights, { ...shape, groupSize })
    this.setGroups(row, nibbles, scales)
  }

  /** int4 only: row `row` becomes scale·(q − 8), nibbles [columns/2] with the even column low, scales [columns/groupSize]. */
  setGroups(row: number, nibbles: Uint8Array, scales: Float32Array): void {
    this.#alive('pack').set(nibbles, row * nibbles.length)
    this.#scales.set(scales, row * scales.length)
  }

  dispose(): void {
    this.#values = undefined
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  unpack(out: Float32Array): void {
    const values = this.#alive('unpack')
    const shape = { rows: this.experts * this.rows, columns: this.columns }
    if (values instanceof Int8Array) dequantizeInt8(out, values, this.#scales, shape)
    else if (values instanceof Uint8Array)
      dequantizeInt4(out, values, this.#scales, { ...shape, groupSize: this.groupSize })
    else
      for (let i = 0; i < out.length; i++)
        out[i] = values instanceof Uint16Array ? f32FromBf16(values[i]!) : values[i]!
  }

  /** out [to − from, rows] = x·Wᵀ for the rows of x in [from, to) and one expert. */
  multiply(
    out: Float32Array,
    x: Float32Array,
    { from, to, expert }: { from: number; to: number; expert: number },
  ): void {
    const values = this.#alive('matmulPacked')
    const { rows, columns } = this
    const quantized = new Int8Array(columns)
    for (let row = from; row < to; row++) {
      if (values instanceof Int8Array) {
        const scale = quantizeRow(quantized, 0, x, row * columns, columns)
        for (let j = 0; j < rows; j++)
          out[row * rows + j] = this.#dotInt8(values, expert * rows + j, quantized, scale)
      } else if (values instanceof Uint8Array) {
        this.#rowInt4(out, x, row, expert, values, quantized)
      } else {
        for (let j = 0; j < rows; j++) {
          const weight = (expert * rows + j) * columns
          let sum = 0
          for (let i = 0; i < columns; i++) {
            const w = values instanceof Uint16Array ? f32FromBf16(values[weight + i]!) : values[weight + i]!
            sum += x[row * columns + i]! * w
          }
          out[row * rows + j] = sum
        }
      }
    }
  }

  /** f32(Σ q_x·q_w)·(scale_x·scale_w). */
  #dotInt8(values: Int8Array, weightRow: number, quantized: Int8Array, scale: number): number {
    const weight = weightRow * this.columns
    let sum = 0
    for (let i = 0; i < this.columns; i++) sum += quantized[i]! * values[weight + i]!
    return fround(fround(sum) * fround(scale * this.#scales[weightRow]!))
  }

  /** Σ over groups, in order, of f32(Σ q_x·(q_w − 8))·(scale_x·scale_w): both sides have a scale per group. */
  #rowInt4(
    out: Float32Array,
    x: Float32Array,
    row: number,
    expert: number,
    values: Uint8Array,
    quantized: Int8Array,
  ): void {
    const { rows, columns, groupSize } = this
    const groups = columns / groupSize
    const scales = new Float32Array(groups)
    for (let g = 0; g < groups; g++) {
      scales[g] = quantizeRow(quantized, g * groupSize, x, row * columns + g * groupSize, groupSize)
    }
    for (let j = 0; j < rows; j++) {
      const weightRow = expert * rows + j
      let total = 0
      for (let g = 0; g < groups; g++) {
        let sum = 0
        for (let i = g * groupSize; i < (g + 1) * groupSize; i += 2) {
          const byte = values[(weightRow * columns + i) >> 1]!
          sum += quantized[i]! * ((byte & 15) - 8) + quantized[i + 1]! * ((byte >> 4) - 8)
        }
        total = fround(total + sum * fround(scales[g]! * this.#scales[weightRow * groups + g]!))
      }
      out[row * rows + j] = total
    }
  }

  #alive(operation: string): Float32Array | Uint16Array | Int8Array | Uint8Array {
    if (this.#values !== undefined) return this.#values
    throw new BioError('ERR_BIO_DISPOSED', {
      operation,
      expected: 'a packed matrix in use',
      received: 'one that was disposed',
    })
  }
}

export function matmulPacked(
  out: Float32Array,
  x: Float32Array,
  packed: ReferencePackedMatrix,
  { m, bias }: { m: number; bias?: Float32Array },
): void {
  packed.multiply(out, x, { from: 0, to: m, expert: 0 })
  if (bias !== undefined) for (let i = 0; i < m * packed.rows; i++) out[i]! += bias[i % packed.rows]!
}

export function groupedMatmulPacked(
  out: Float32Array,
  x: Float32Array,
  packed: ReferencePackedMatrix,
  { offsets, index }: { offsets: Int32Array; index?: Int32Array },
): void {
  const { columns } = packed
  const rows = index === undefined ? x : new Float32Array(index.length * columns)
  if (index !== undefined) gatherRows(rows, x, index, { columns })
  for (let expert = 0; expert < packed.experts; expert++) {
    packed.multiply(out, rows, { from: offsets[expert]!, to: offsets[expert + 1]!, expert })
  }
}
