import { getKernels } from '@bio/kernels'
import { allocate, giveBack } from '../pool.js'
import { formatShape, refuseShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/**
 * A mixture's SwiGLU experts: y[r] = down[e]·(silu(g) ⊙ u) with [g; u] = gateUp[e]·x[r] for the rows r in [offsets[e], offsets[e + 1]). The values
 * and gradients of `groupedLinear`, `swiglu` and `groupedLinear`, in less time: an expert's layers run while its rows are in the cache. x [rows, dim]
 * sorted by expert, gateUp [experts, 2·hidden, dim], the gate first, down [experts, dim, hidden], offsets [experts + 1] from 0 to rows → [rows, dim].
 * Shazeer 2020. Errors: ERR_BIO_SHAPE, ERR_BIO_INDEX (offsets), ERR_BIO_DTYPE.
 */
export function swigluExperts(x: Tensor, gateUp: Tensor, down: Tensor, offsets: Int32Array): Tensor {
  const operation = 'swigluExperts'
  const [experts, dim, hidden] = down.shape
  const rows = x.shape[0]!
  if (
    down.shape.length !== 3 ||
    gateUp.shape.join() !== [experts, 2 * hidden!, dim].join() ||
    x.shape.length !== 2 ||
    x.shape[1] !== dim ||
    offsets.length !== experts! + 1
  ) {
    const shapes = [x, gateUp, down].map(({ shape }) => formatShape(shape)).join(', ')
    return refuseShape(
      operation,
      'x [rows, dim], gateUp [experts, 2·hidden, dim], down [experts, dim, hidden], experts + 1 offsets',
      `${shapes}, ${offsets.length} offsets`,
    )
  }
  const shape = { offsets, dim: dim!, hidden: hidden! }
  const values = [x, gateUp, down].map((tensor) => f32(tensor, operation)) as [F32, F32, F32]
  const [data, both, inner] = [allocate(rows * dim!), allocate(rows * 2 * hidden!), allocate(rows * hidden!)]
  getKernels().swigluExperts(data, both, inner, ...values, shape)
  return record(
    operation,
    [x, gateUp, down],
    {
      shape: [rows, dim!],
      data,
      backward: (dy, saved, needs) => {
        const arrays = saved.map((tensor) => f32(tensor, operation))
        const [dx, dGateUp, dDown] = needs.map((needed, i) =>
          needed ? allocate(arrays[i]!.length) : undefined,
        )
        const dBoth = allocate(rows * 2 * hidden!)
        const [rowsOfX, ofGateUp, ofDown, ...kept] = arrays as [F32, F32, F32, F32, F32]
        getKernels().swigluExpertsBackward(
          dx,
          dGateUp,
          dDown,
          dBoth,
          dy,
          rowsOfX,
          ...kept,
          ofGateUp,
          ofDown,
          shape,
        )
        giveBack(dBoth)
        return [dx, dGateUp, dDown]
      },
    },
    { saved: [x, gateUp, down], buffers: [both, inner] },
  )
}

type F32 = Float32Array
