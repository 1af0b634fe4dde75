import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape, sameShape } from '../shape.js'
import { record } from '../tape/record.js'
import { WeightProduct } from '../tape/weight-product.js'
import { isGradEnabled } from '../tape/grad-mode.js'
import { f32, type Tensor } from '../tensor.js'
import { repeatInto } from './broadcast.js'
import { showLinear } from './linear-observer.js'

/** y = x·Wᵀ + b for x [..., in], weight [out, in], bias [out] → [..., out]. Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const [n, k] = weight.shape
  if (
    weight.shape.length !== 2 ||
    x.shape.at(-1) !== k ||
    (bias !== undefined && !sameShape(bias.shape, [n!]))
  ) {
    const shapes = [x, weight, ...(bias === undefined ? [] : [bias])].map(({ shape }) => formatShape(shape))
    return refuseShape('linear', 'x [..., in], weight [out, in], bias [out]', shapes.join(', '))
  }
  const rows = x.shape.slice(0, -1).reduce((product, size) => product * size, 1)
  const data = allocate(rows * n!)
  if (bias !== undefined) repeatInto(data, f32(bias, 'linear'))
  getKernels().matmul(data, f32(x, 'linear'), f32(weight, 'linear'), {
    m: rows,
    n: n!,
    k: k!,
    transposeB: true,
    accumulate: bias !== undefined,
    // Only in training: the sign of a 0 that underflowed may depend on the batch then.
    skipZeros: isGradEnabled(),
  })
  return record(
    'linear',
    bias === undefined ? [x, weight] : [x, weight, bias],
    {
      shape: [...x.shape.slice(0, -1), n!],
      data,
      backward: (dy, saved, needs) => linearBackward(dy, saved, { m: rows, n: n!, k: k!, needs }),
    },
    { saved: [x, weight] },
  )
}

/** dx = dy·W, dW = dyᵀ·x, left to whom it goes to, and db = Σ over rows of dy, in which a relu leaves zeros. */
function linearBackward(
  dy: Float32Array,
  [x, weight]: readonly Tensor[],
  { m, n, k, needs }: { m: number; n: number; k: number; needs: readonly boolean[] },
): (Float32Array | WeightProduct | undefined)[] {
  const kernels = getKernels()
  showLinear(weight!, dy, f32(x!, 'linear'))
  let [dx, dBias]: (Float32Array | undefined)[] = []
  if (needs[0]) {
    dx = allocate(m * k)
    kernels.matmul(dx, dy, f32(weight!, 'linear'), { m, n: k, k: n, skipZeros: true })
  }
  const dWeight = needs[1] ? new WeightProduct(dy, f32(x!, 'linear'), { rows: m, n, k }) : undefined
  if (needs[2]) {
    dBias = allocate(n).fill(0)
    kernels.sumRows(dBias, dy, { rows: m, columns: n })
  }
  return needs.length === 3 ? [dx, dWeight, dBias] : [dx, dWeight]
}

/**
 * One linear layer per expert: y[r] = W[e]·x[r] for the rows r in [offsets[e], offsets[e + 1]). x [rows, in] sorted by expert, weight
 * [experts, out, in], offsets [experts + 1] from 0 to rows → [rows, out]. Errors: ERR_BIO_SHAPE, ERR_BIO_INDEX (offsets), ERR_BIO_DTYPE.
 */
export function groupedLinear(x: Tensor, weight: Tensor, offsets: Int32Array): Tensor {
  const [experts, n, k] = weight.shape
  const rows = x.shape[0]
  if (
    weight.shape.length !== 3 ||
    x.shape.length !== 2 ||
    x.shape[1] !== k ||
    offsets.length !== experts! + 1
  ) {
    const received = `${formatShape(x.shape)}, ${formatShape(weight.shape)}, ${offsets.length} offsets`
    return refuseShape(
      'groupedLinear',
      'x [rows, in], weight [experts, out, in], experts + 1 offsets',
      received,
    )
  }
  const shape = { offsets, n: n!, k: k! }
  const data = allocate(rows! * n!)
  getKernels().groupedMatmul(data, f32(x, 'groupedLinear'), f32(weight, 'groupedLinear'), {
    ...shape,
    layout: 'nk',
  })
  return record(
    'groupedLinear',
    [x, weight],
    {
      shape: [rows!, n!],
      data,
      backward: (dy, saved, needs) => {
        const kernels = getKernels()
        let [dx, dWeight]: (Float32Array | undefined)[] = []
        if (needs[0]) {
          dx = allocate(rows! * k!)
          const w = f32(saved[1]!, 'groupedLinear')
          kernels.groupedMatmul(dx, dy, w, { offsets, n: k!, k: n!, layout: 'kn' })
        }
        if (needs[1]) {
          dWeight = allocate(experts! * n! * k!)
          kernels.groupedWeightGradient(dWeight, dy, f32(saved[0]!, 'groupedLinear'), shape)
        }
        return [dx, dWeight]
      },
    },
    { saved: [x, weight] },
  )
}
