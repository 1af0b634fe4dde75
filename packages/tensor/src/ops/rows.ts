import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, i32, type Tensor } from '../tensor.js'

/** out[r] = x[index[r]] for x [rows, ...] → [index.length, ...]. `index` must not change before backward. Errors: ERR_BIO_SHAPE, ERR_BIO_INDEX. */
export function gatherRows(x: Tensor, index: Int32Array): Tensor {
  return gather(x, index, { operation: 'gatherRows', lead: [index.length] })
}

/** weight[id] for each id: ids i32 [...], weight [count, dim] → [..., dim]. Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE, ERR_BIO_INDEX. */
export function embedding(ids: Tensor, weight: Tensor): Tensor {
  return gather(weight, i32(ids, 'embedding'), { operation: 'embedding', lead: ids.shape })
}

function gather(
  x: Tensor,
  index: Int32Array,
  { operation, lead }: { operation: string; lead: readonly number[] },
): Tensor {
  const columns = columnsOf(x, operation)
  const data = allocate(index.length * columns)
  getKernels().gatherRows(data, f32(x, operation), index, { columns })
  const { size } = x
  return record(operation, [x], {
    shape: [...lead, ...x.shape.slice(1)],
    data,
    backward: (dy) => {
      const dx = allocate(size).fill(0)
      getKernels().scatterAddRows(dx, dy, index, { columns })
      return [dx]
    },
  })
}

/**
 * out[index[r]] += scales[r]·x[r] into `rows` rows of zeros, in the order of r: how expert outputs are combined. x [n, ...], scales [n]
 * (default 1, differentiable) → [rows, ...]. `index` must not change before backward. Errors: ERR_BIO_SHAPE, ERR_BIO_INDEX.
 */
export function scatterAddRows(
  x: Tensor,
  index: Int32Array,
  { rows, scales }: { rows: number; scales?: Tensor },
): Tensor {
  const operation = 'scatterAddRows'
  const columns = columnsOf(x, operation)
  if (!Number.isSafeInteger(rows) || rows < 0) refuseShape(operation, 'rows, a whole number', rows)
  if (
    x.shape[0] !== index.length ||
    (scales !== undefined && (scales.size !== index.length || scales.shape.length !== 1))
  ) {
    const received = `x ${formatShape(x.shape)}, ${index.length} indices${scales === undefined ? '' : `, scales ${formatShape(scales.shape)}`}`
    refuseShape(operation, 'as many rows of x as indices (and scales)', received)
  }
  const data = allocate(rows * columns).fill(0)
  getKernels().scatterAddRows(data, f32(x, operation), index, {
    columns,
    ...(scales === undefined ? {} : { scales: f32(scales, operation) }),
  })
  const shape = [rows, ...x.shape.slice(1)]
  if (scales === undefined)
    return record(operation, [x], { shape, data, backward: (dy) => [gathered(dy, index, columns)] })
  return record(
    operation,
    [x, scales],
    {
      shape,
      data,
      backward: (dy, saved) => {
        const [values, factors] = [f32(saved[0]!, operation), f32(saved[1]!, operation)]
        const [dx, dScales] = [allocate(index.length * columns), allocate(index.length)]
        getKernels().scatterAddRowsBackward(dx, dScales, dy, values, index, { columns, scales: factors })
        return [dx, dScales]
      },
    },
    { saved: [x, scales] },
  )
}

function gathered(source: Float32Array, index: Int32Array, columns: number): Float32Array {
  const out = allocate(index.length * columns)
  getKernels().gatherRows(out, source, index, { columns })
  return out
}

function columnsOf(x: Tensor, operation: string): number {
  const columns = x.shape.slice(1).reduce((product, size) => product * size, 1)
  if (x.shape.length === 0 || columns === 0) refuseShape(operation, 'rows of at least one value', x.shape)
  return columns
}
