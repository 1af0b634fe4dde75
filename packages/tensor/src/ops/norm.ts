import { getKernels, type RowShape } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape, rowsOf, sameShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/**
 * x / √(mean(x²) + ε) · weight over the last dimension, weight [columns]. Zhang and Sennrich 2019. Errors: ERR_BIO_SHAPE, ERR_BIO_VALUE
 * (ε ≤ 0).
 */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  const shape = checkedRows(x, [weight], 'rmsNorm')
  const data = allocate(x.size)
  const inverse = allocate(shape.rows)
  getKernels().rmsNorm(data, inverse, f32(x, 'rmsNorm'), f32(weight, 'rmsNorm'), { ...shape, epsilon: eps })
  return record(
    'rmsNorm',
    [x, weight],
    {
      shape: x.shape,
      data,
      backward: (dy, saved) => rmsNormBackward(dy, saved, shape),
    },
    { saved: [x, weight], buffers: [inverse] },
  )
}

/**
 * (x − mean) / √(variance + ε) · weight + bias over the last dimension, weight and bias [columns]. Ba et al. 2016. Errors:
 * ERR_BIO_SHAPE, ERR_BIO_VALUE (ε ≤ 0).
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const shape = checkedRows(x, [weight, bias], 'layerNorm')
  const data = allocate(x.size)
  const mean = allocate(shape.rows)
  const inverse = allocate(shape.rows)
  const [values, scale, shift] = [f32(x, 'layerNorm'), f32(weight, 'layerNorm'), f32(bias, 'layerNorm')]
  getKernels().layerNorm(data, mean, inverse, values, scale, shift, { ...shape, epsilon: eps })
  return record(
    'layerNorm',
    [x, weight, bias],
    {
      shape: x.shape,
      data,
      backward: (dy, saved) => layerNormBackward(dy, saved, shape),
    },
    { saved: [x, weight], buffers: [mean, inverse] },
  )
}

function rmsNormBackward(dy: Float32Array, saved: readonly Tensor[], shape: RowShape): Float32Array[] {
  const [x, weight, inverse] = saved.map((tensor) => f32(tensor, 'rmsNorm'))
  const dx = allocate(dy.length)
  const dWeight = allocate(shape.columns).fill(0)
  getKernels().rmsNormBackward(dx, dWeight, dy, x!, weight!, inverse!, shape)
  return [dx, dWeight]
}

function layerNormBackward(dy: Float32Array, saved: readonly Tensor[], shape: RowShape): Float32Array[] {
  const [x, weight, mean, inverse] = saved.map((tensor) => f32(tensor, 'layerNorm'))
  const dx = allocate(dy.length)
  const dWeight = allocate(shape.columns).fill(0)
  const dBias = allocate(shape.columns).fill(0)
  getKernels().layerNormBackward(dx, dWeight, dBias, dy, x!, weight!, mean!, inverse!, shape)
  return [dx, dWeight, dBias]
}

function checkedRows(x: Tensor, weights: readonly Tensor[], operation: string): RowShape {
  const shape = rowsOf(x.shape, x.size, operation)
  for (const weight of weights) {
    if (sameShape(weight.shape, [shape.columns])) continue
    refuseShape(
      operation,
      `weights ${formatShape([shape.columns])} for x ${formatShape(x.shape)}`,
      weight.shape,
    )
  }
  return shape
}
