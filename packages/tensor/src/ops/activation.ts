import { getKernels, type Activation } from '@bio/kernels'
import { allocate } from '../pool.js'
import { refuseShape, rowsOf } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/** f(x), one of the kernels' activations. */
export function activate(x: Tensor, kind: Activation): Tensor {
  const data = allocate(x.size)
  getKernels().activate(data, f32(x, kind), kind)
  return record(
    kind,
    [x],
    {
      shape: x.shape,
      data,
      backward: (dy, [saved]) => {
        getKernels().activateBackward(dy, dy, f32(saved!, kind), kind)
        return [dy]
      },
    },
    { saved: [x] },
  )
}

/**
 * silu(gate) ⊙ up for gateUp [..., 2·hidden], the gate first → [..., hidden]. Shazeer 2020. Errors: ERR_BIO_SHAPE for an odd last
 * dimension.
 */
export function swiglu(gateUp: Tensor): Tensor {
  const { rows, columns } = rowsOf(gateUp.shape, gateUp.size, 'swiglu')
  if (columns % 2 !== 0) refuseShape('swiglu', 'an even last dimension, gate and up', gateUp.shape)
  const shape = { rows, hidden: columns / 2 }
  const data = allocate(gateUp.size / 2)
  getKernels().swiglu(data, f32(gateUp, 'swiglu'), shape)
  return record(
    'swiglu',
    [gateUp],
    {
      shape: [...gateUp.shape.slice(0, -1), columns / 2],
      data,
      backward: (dy, [saved]) => {
        const dGateUp = allocate(2 * dy.length)
        getKernels().swigluBackward(dGateUp, dy, f32(saved!, 'swiglu'), shape)
        return [dGateUp]
      },
    },
    { saved: [gateUp] },
  )
}
