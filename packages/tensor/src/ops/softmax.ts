import { getKernels, type RowShape } from '@bio/kernels'
import { allocate } from '../pool.js'
import { rowsOf } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/** y = exp(x) / Σ exp(x) per row. */
export function softmax(x: Tensor): Tensor {
  const shape = rowsOf(x.shape, x.size, 'softmax')
  const data = allocate(x.size)
  getKernels().softmax(data, f32(x, 'softmax'), shape)
  return record(
    'softmax',
    [x],
    {
      shape: x.shape,
      data,
      backward: (dy, [y]) => {
        getKernels().softmaxBackward(dy, dy, f32(y!, 'softmax'), shape)
        return [dy]
      },
    },
    { saveOutput: true },
  )
}

/** y = x − log Σ exp(x) per row. */
export function logSoftmax(x: Tensor): Tensor {
  const { rows, columns } = rowsOf(x.shape, x.size, 'logSoftmax')
  const data = allocate(x.size)
  logSoftmaxRows(data, f32(x, 'logSoftmax'), { rows, columns })
  return record(
    'logSoftmax',
    [x],
    {
      shape: x.shape,
      data,
      // dx = dy − softmax(x)·Σ dy
      backward: (dy, [saved]) => {
        const y = f32(saved!, 'logSoftmax')
        for (let r = 0; r < rows; r++) {
          const [from, to] = [r * columns, (r + 1) * columns]
          let sum = 0
          for (let i = from; i < to; i++) sum += dy[i]!
          for (let i = from; i < to; i++) dy[i]! -= Math.exp(y[i]!) * sum
        }
        return [dy]
      },
    },
    { saveOutput: true },
  )
}

/** out = x − log Σ exp(x) per row. */
export function logSoftmaxRows(out: Float32Array, x: Float32Array, { rows, columns }: RowShape): void {
  for (let r = 0; r < rows; r++) {
    const [from, to] = [r * columns, (r + 1) * columns]
    let max = -Infinity
    for (let i = from; i < to; i++) max = Math.max(max, x[i]!)
    let sum = 0
    for (let i = from; i < to; i++) sum += Math.exp(x[i]! - max)
    const logSum = max + Math.log(sum)
    for (let i = from; i < to; i++) out[i] = x[i]! - logSum
  }
}
