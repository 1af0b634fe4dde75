import { getKernels, type MatmulOptions } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape, sameShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/** a [..., m, k] · b [k, n] or [..., k, n]; see `Tensor.matmul`. */
export function matmul(a: Tensor, b: Tensor, { transposeB = false }: { transposeB?: boolean }): Tensor {
  const lead = a.shape.slice(0, -2)
  const [rows, k] = a.shape.slice(-2)
  const [bRows, bColumns] = b.shape.slice(-2)
  const shared = b.shape.length === 2
  if (
    k === undefined ||
    bColumns === undefined ||
    k !== (transposeB ? bColumns : bRows) ||
    (!shared && !sameShape(lead, b.shape.slice(0, -2)))
  ) {
    return refuseShape(
      'matmul',
      transposeB ? 'a [..., m, k] and b [n, k] or [..., n, k]' : 'a [..., m, k] and b [k, n] or [..., k, n]',
      `${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    )
  }
  const n = (transposeB ? bRows : bColumns)!
  // One matrix b for all: the leading dimensions of a are more rows.
  const count = shared ? 1 : lead.reduce((product, size) => product * size, 1)
  const m = shared ? lead.reduce((product, size) => product * size, rows!) : rows!
  const data = allocate(count * m * n)
  multiply(data, f32(a, 'matmul'), f32(b, 'matmul'), { count, m, n, k, transposeB })
  return record(
    'matmul',
    [a, b],
    {
      shape: [...lead, rows!, n],
      data,
      backward: (dy, saved, needs) => {
        const [x, y] = [f32(saved[0]!, 'matmul'), f32(saved[1]!, 'matmul')]
        let [da, db]: (Float32Array | undefined)[] = []
        if (needs[0]) {
          da = allocate(count * m * k) // dy·bᵀ
          multiply(da, dy, y, { count, m, n: k, k: n, transposeB: !transposeB })
        }
        if (needs[1]) {
          db = allocate(count * k * n) // aᵀ·dy, or dyᵀ·a where b is stored transposed
          if (transposeB) multiply(db, dy, x, { count, m: n, n: k, k: m, transposeA: true })
          else multiply(db, x, dy, { count, m: k, n, k: m, transposeA: true })
        }
        return [da, db]
      },
    },
    { saved: [a, b] },
  )
}

/** `count` products of matrices that lie one after the other. */
function multiply(
  out: Float32Array,
  a: Float32Array,
  b: Float32Array,
  options: MatmulOptions & { count: number },
): void {
  const { count, m, n, k } = options
  const kernels = getKernels()
  if (count === 1) return kernels.matmul(out, a, b, options)
  for (let i = 0; i < count; i++) {
    kernels.matmul(
      out.subarray(i * m * n, (i + 1) * m * n),
      a.subarray(i * m * k, (i + 1) * m * k),
      b.subarray(i * k * n, (i + 1) * k * n),
      options,
    )
  }
}
