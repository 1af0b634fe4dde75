import { describe, expect, test } from 'vitest'
import { chooseSparseFormat } from './sparse-format.js'
import { Source } from './testing/source.js'

/** Weights of which whole blocks of `height` rows are 0 or not. */
function blocks(
  height: number,
  zeros: number,
  { rows, columns } = { rows: 512, columns: 512 },
): Float32Array {
  const source = new Source(1)
  const weights = new Float32Array(rows * columns)
  for (let first = 0; first < rows; first += height) {
    for (let column = 0; column < columns; column++) {
      if (source.next() < zeros) continue
      for (let row = first; row < Math.min(first + height, rows); row++)
        weights[row * columns + column] = 1 + source.next()
    }
  }
  return weights
}

describe.each(['scalar', 'avx2', 'avx512'] as const)('for %s', (isa) => {
  const shape = { rows: 512, columns: 512, isa }

  test('few zeros stay dense, whatever the batch', () => {
    for (const batch of [undefined, 1, 4, 64, 512]) {
      const options = batch === undefined ? shape : { ...shape, batch }
      for (const zeros of [0, 0.2]) expect(chooseSparseFormat(blocks(1, zeros), options)).toBe('dense')
    }
  })

  test('pruned blocks are found, by their height', () => {
    expect(chooseSparseFormat(blocks(4, 0.8), shape)).toBe('4x1')
    expect(chooseSparseFormat(blocks(16, 0.9), { ...shape, batch: 1 })).toBe('16x1')
  })

  test('single weights take rows one by one where they are few enough', () => {
    expect(chooseSparseFormat(blocks(1, 0.5), shape)).toBe('dense')
    expect(chooseSparseFormat(blocks(1, 0.95), { ...shape, batch: 512 })).toBe('csr')
  })

  test('rows that fill no block, and no weight at all, have a format', () => {
    const none = new Float32Array(7 * 5)
    expect(chooseSparseFormat(none, { rows: 7, columns: 5, isa })).toMatch(/dense|csr|4x1|16x1/)
    expect(chooseSparseFormat(Float32Array.of(1), { rows: 1, columns: 1, isa })).toBe('dense')
  })
})
