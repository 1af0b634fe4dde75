import { BioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import { allocate } from '../pool.js'
import type { Rng } from '../rng.js'
import { record } from '../tape/record.js'
import { f32, type Tensor } from '../tensor.js'

/**
 * In training, sets each value to 0 with probability p and scales the rest by 1 / (1 − p); else returns x itself. Inside
 * `checkpoint` the mask is drawn again, the same. Srivastava et al. 2014. Errors: ERR_BIO_VALUE unless 0 ≤ p < 1.
 */
export function dropout(x: Tensor, { p, rng, training }: { p: number; rng: Rng; training: boolean }): Tensor {
  if (!(p >= 0 && p < 1)) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'dropout',
      expected: 'p from 0 to below 1',
      received: String(p),
    })
  }
  if (!training || p === 0) return x
  const values = f32(x, 'dropout')
  const mask = allocate(x.size)
  rng.fillMask(mask, p)
  const data = allocate(x.size)
  getKernels().multiply(data, values, mask)
  return record(
    'dropout',
    [x],
    {
      shape: x.shape,
      data,
      backward: (dy, [saved]) => {
        getKernels().multiply(dy, dy, f32(saved!, 'dropout'))
        return [dy]
      },
    },
    { buffers: [mask] },
  )
}
