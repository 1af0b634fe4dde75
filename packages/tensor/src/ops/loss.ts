import { BioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import { allocate, giveBack } from '../pool.js'
import { formatShape, refuseShape, sameShape } from '../shape.js'
import { record } from '../tape/record.js'
import { f32, i32, type Tensor } from '../tensor.js'
import { logSoftmaxRows } from './softmax.js'

export interface CrossEntropyLossOptions {
  /** Rows with this target count for nothing. Default −100. */
  readonly ignoreIndex?: number
  /** Default 'mean', over the rows that count; NaN if none does. */
  readonly reduction?: 'mean' | 'sum' | 'none'
}

/**
 * −log softmax(logits)[target] in nats: logits [rows, classes], targets i32 [rows] → a scalar, or [rows] with reduction 'none'.
 * Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE, ERR_BIO_INDEX (a target out of range), ERR_BIO_VALUE (an unknown reduction).
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyLossOptions = {}): Tensor {
  const { ignoreIndex = -100, reduction = 'mean' } = options
  const [rows, columns] = logits.shape
  if (logits.shape.length !== 2 || targets.size !== rows || targets.shape.length > 2) {
    const received = `${formatShape(logits.shape)} and ${formatShape(targets.shape)}`
    return refuseShape('crossEntropy', 'logits [rows, classes] and targets [rows]', received)
  }
  if (!['mean', 'sum', 'none'].includes(reduction)) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'crossEntropy',
      expected: 'reduction mean, sum or none',
      received: String(reduction),
    })
  }
  const ids = i32(targets, 'crossEntropy')
  const shape = { rows: rows!, columns: columns!, ignoreIndex }
  const losses = allocate(rows!)
  const logSumExp = allocate(rows!)
  const kernels = getKernels()
  kernels.crossEntropy(losses, logSumExp, f32(logits, 'crossEntropy'), ids, shape)
  let count = 1
  if (reduction === 'mean') {
    count = rows!
    for (const id of ids) if (id === ignoreIndex) count--
  }
  const perRow = reduction === 'none'
  const total = perRow ? undefined : Float32Array.of(kernels.sum(losses) / count)
  if (!perRow) giveBack(losses)
  return record(
    'crossEntropy',
    [logits],
    {
      shape: perRow ? [rows!] : [],
      data: total ?? losses,
      backward: (dy, [saved, normalizer]) => {
        const dLogits = allocate(saved!.size)
        const dLoss = perRow ? dy : allocate(rows!).fill(dy[0]! / count)
        getKernels().crossEntropyBackward(
          dLogits,
          dLoss,
          f32(saved!, 'crossEntropy'),
          f32(normalizer!, 'crossEntropy'),
          ids,
          shape,
        )
        if (!perRow) giveBack(dLoss)
        return [dLogits]
      },
    },
    { saved: [logits], buffers: [logSumExp] },
  )
}

/** mean((a − b)²) over all values → a scalar. Errors: ERR_BIO_SHAPE (shapes differ), ERR_BIO_DTYPE. */
export function mseLoss(a: Tensor, b: Tensor): Tensor {
  if (!sameShape(a.shape, b.shape)) {
    return refuseShape(
      'mseLoss',
      'two tensors of one shape',
      `${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    )
  }
  const difference = a.sub(b)
  return difference.mul(difference).mean()
}

/**
 * Σ p·(log p − log q) / rows for logits [rows, classes] of q and of p, the target, which gets no gradient: the divergence of q from p in
 * nats, as distillation uses it (PyTorch's `kl_div` with `batchmean`). Errors: ERR_BIO_SHAPE, ERR_BIO_DTYPE.
 */
export function klDivergence(logitsQ: Tensor, logitsP: Tensor): Tensor {
  const [rows, columns] = logitsQ.shape
  if (logitsQ.shape.length !== 2 || !sameShape(logitsQ.shape, logitsP.shape)) {
    const received = `${formatShape(logitsQ.shape)} and ${formatShape(logitsP.shape)}`
    return refuseShape('klDivergence', 'two tensors [rows, classes]', received)
  }
  const logQ = allocate(logitsQ.size)
  const logP = allocate(logitsP.size)
  logSoftmaxRows(logQ, f32(logitsQ, 'klDivergence'), { rows: rows!, columns: columns! })
  logSoftmaxRows(logP, f32(logitsP, 'klDivergence'), { rows: rows!, columns: columns! })
  const slope = allocate(logitsQ.size) // (q − p) / rows, all that backward needs
  let sum = 0
  for (let i = 0; i < slope.length; i++) {
    const p = Math.exp(logP[i]!)
    if (p > 0) sum += p * (logP[i]! - logQ[i]!)
    slope[i] = (Math.exp(logQ[i]!) - p) / rows!
  }
  giveBack(logQ)
  giveBack(logP)
  return record(
    'klDivergence',
    [logitsQ],
    {
      shape: [],
      data: Float32Array.of(sum / rows!),
      backward: (dy, [saved]) => {
        const dLogits = allocate(saved!.size)
        getKernels().scale(dLogits, f32(saved!, 'klDivergence'), dy[0]!)
        return [dLogits]
      },
    },
    { buffers: [slope] },
  )
}
