import type { RowShape } from '../interface.js'

/** out[r] = source[index[r]]. */
export function gatherRows(
  out: Float32Array,
  source: Float32Array,
  index: Int32Array,
  { columns }: { columns: number },
): void {
  for (let r = 0; r < index.length; r++)
    out.set(source.subarray(index[r]! * columns, (index[r]! + 1) * columns), r * columns)
}

/** out[index[r]] += scales[r]·x[r], in the order of r. */
export function scatterAddRows(
  out: Float32Array,
  x: Float32Array,
  index: Int32Array,
  { columns, scales }: { columns: number; scales?: Float32Array },
): void {
  for (let r = 0; r < index.length; r++) {
    const scale = scales === undefined ? 1 : scales[r]!
    const to = index[r]! * columns
    for (let j = 0; j < columns; j++) out[to + j]! += scale * x[r * columns + j]!
  }
}

/** dx[r] = scales[r]·dy[index[r]], dScales[r] = ⟨dy[index[r]], x[r]⟩. */
export function scatterAddRowsBackward(
  dx: Float32Array,
  dScales: Float32Array,
  dy: Float32Array,
  x: Float32Array,
  index: Int32Array,
  { columns, scales }: { columns: number; scales: Float32Array },
): void {
  for (let r = 0; r < index.length; r++) {
    const from = index[r]! * columns
    let dot = 0
    for (let j = 0; j < columns; j++) {
      dx[r * columns + j] = scales[r]! * dy[from + j]!
      dot += dy[from + j]! * x[r * columns + j]!
    }
    dScales[r] = dot
  }
}

/** out [columns] += Σ_r x[r]. */
export function sumRows(out: Float32Array, x: Float32Array, { rows, columns }: RowShape): void {
  for (let j = 0; j < columns; j++) {
    let sum = 0
    for (let r = 0; r < rows; r++) sum += x[r * columns + j]!
    out[j]! += sum
  }
}
