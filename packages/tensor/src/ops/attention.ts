import { getKernels, type AttentionOptions } from '@bio/kernels'
import { allocate } from '../pool.js'
import { formatShape, refuseShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/**
 * Rotates each head by its position: pairs (i, i + headDim/2), angle position·θ^(−2i/headDim), as in Hugging Face's `rotate_half`.
 * x [batch, length, heads, headDim], positions [batch·length] (not changed before backward) → the shape of x. Su et al. 2021. Errors:
 * ERR_BIO_SHAPE, ERR_BIO_VALUE (an odd headDim).
 */
export function rotary(x: Tensor, positions: Int32Array, { theta }: { theta: number }): Tensor {
  const [batch, length, heads, headDim] = x.shape
  if (x.shape.length !== 4 || positions.length !== batch! * length!) {
    const received = `x ${formatShape(x.shape)}, ${positions.length} positions`
    return refuseShape('rotary', 'x [batch, length, heads, headDim] and batch·length positions', received)
  }
  const options = { heads: heads!, headDim: headDim!, theta }
  const data = allocate(x.size)
  getKernels().rotary(data, f32(x, 'rotary'), positions, options)
  return record('rotary', [x], {
    shape: x.shape,
    data,
    backward: (dy) => {
      getKernels().rotary(dy, dy, positions, { ...options, inverse: true })
      return [dy]
    },
  })
}

/**
 * softmax(q·kᵀ·scale)·v per head: q [batch, length, heads, headDim], k and v [batch, length, kvHeads, headDim] → the shape of q. Query
 * head h reads key head ⌊h·kvHeads/heads⌋ (Ainslie et al. 2023). `causal`: a row sees itself and those before it. `scale` is 1/√headDim by
 * default. Memory grows with length, not its square: the backward pass computes the weights again (Dao et al. 2022). Errors: ERR_BIO_SHAPE.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { causal, scale }: { causal: boolean; scale?: number },
): Tensor {
  const [batch, length, heads, headDim] = q.shape
  const kvHeads = k.shape[2]!
  const expected = formatShape([batch!, length!, kvHeads, headDim!])
  const wrong =
    formatShape(k.shape) !== expected || formatShape(v.shape) !== expected || heads! % kvHeads !== 0
  if (q.shape.length !== 4 || wrong) {
    return refuseShape(
      'attention',
      'q [batch, length, heads, headDim], k and v [batch, length, kvHeads, headDim], heads a multiple of kvHeads',
      [q, k, v].map(({ shape }) => formatShape(shape)).join(', '),
    )
  }
  const options = {
    batch: batch!,
    length: length!,
    heads: heads!,
    kvHeads,
    headDim: headDim!,
    causal,
    ...(scale === undefined ? {} : { scale }),
  }
  const data = allocate(q.size)
  const logSumExp = allocate(batch! * heads! * length!)
  getKernels().attention(
    data,
    logSumExp,
    f32(q, 'attention'),
    f32(k, 'attention'),
    f32(v, 'attention'),
    options,
  )
  return record(
    'attention',
    [q, k, v],
    {
      shape: q.shape,
      data,
      backward: (dOut, saved) => attentionBackward(dOut, saved, options),
    },
    { saved: [q, k, v], saveOutput: true, buffers: [logSumExp] },
  )
}

function attentionBackward(
  dOut: Float32Array,
  saved: readonly Tensor[],
  options: AttentionOptions,
): Float32Array[] {
  const [q, k, v, out, logSumExp] = saved.map((tensor) => f32(tensor, 'attention'))
  const [dq, dk, dv] = [allocate(q!.length), allocate(k!.length), allocate(v!.length)]
  getKernels().attentionBackward(dq, dk, dv, dOut, q!, k!, v!, out!, logSumExp!, options)
  return [dq, dk, dv]
}
