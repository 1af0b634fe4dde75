import { BioError } from '@bio/errors'
import { getKernels } from '@bio/kernels'
import { fromData, type Tensor } from '@bio/tensor'
import { batchOf, type Batch, type Dataset } from '../data/dataset.js'
import type { StrategyContext } from '../strategies/strategy.js'
import { linearSquares } from './linear-squares.js'

/** One importance per parameter value. */
export type Diagonal = Map<Tensor, Float32Array>

/**
 * Which gradients are squared: of every class, weighted by its probability (`exact`); of one class drawn from the model (`sampled`); of the
 * true label (`empirical`). The first two need class scores; a model with a loss of its own has only the last.
 */
export type FisherKind = 'exact' | 'sampled' | 'empirical'

export interface FisherOptions {
  readonly kind: FisherKind
  /** Items looked at; all of them by default. */
  readonly samples?: number
}

/**
 * The diagonal Fisher information, the mean over items of squared per-item gradients: F = (1/N) Σ_n Σ_c p_c g²_{n,c}, g = ∇ log p(c|x_n) for `exact`.
 * Never the square of a batch's mean gradient, which is about N times too small and noisy (van de Ven 2025).
 *
 * Linear layers that see one row per item are done in batches, Σ g² = (δ²)ᵀ(a²); every other parameter item by item.
 */
export function fisherDiagonal(
  context: StrategyContext,
  data: Dataset,
  { kind, samples = data.size }: FisherOptions,
): Diagonal {
  if (kind !== 'empirical' && context.logits === undefined) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'fisherDiagonal',
      expected: `class scores for the ${kind} Fisher`,
      received: 'a model with a loss of its own',
      hint: "Use fisher: { kind: 'empirical' }.",
    })
  }
  const parameters = context.model.parameters()
  const diagonal: Diagonal = new Map(
    parameters.map((parameter) => [parameter, new Float32Array(parameter.size)]),
  )
  const items = context.rng.permutation(data.size).subarray(0, Math.min(samples, data.size))
  const rest = linearSquares(context, data, items, { kind, diagonal })
  if (rest.size > 0) itemByItem(context, data, items, { kind, diagonal, rest })
  for (const values of diagonal.values()) getKernels().scale(values, values, 1 / items.length)
  return diagonal
}

/** Adds the squared gradients of the parameters in `rest`, one item at a time. */
function itemByItem(
  context: StrategyContext,
  data: Dataset,
  items: Int32Array,
  { kind, diagonal, rest }: { kind: FisherKind; diagonal: Diagonal; rest: ReadonlySet<Tensor> },
): void {
  const kernels = getKernels()
  for (const item of items) {
    const batch = batchOf(data, [item])
    for (const backward of backwardPasses(context, batch, kind)) {
      backward()
      for (const parameter of rest) {
        const gradient = parameter.grad?.data as Float32Array | undefined
        if (gradient === undefined) continue
        kernels.multiply(gradient, gradient, gradient)
        kernels.addScaled(diagonal.get(parameter)!, gradient, 1)
      }
      context.model.zeroGrad()
    }
  }
}

/**
 * The backward passes whose per-item gradients are to be squared and added. Each runs the model anew; gradients are those of a sum
 * over the batch's items, so that an item's share is its own.
 */
export function* backwardPasses(
  { loss, logits, rng }: StrategyContext,
  batch: Batch,
  kind: FisherKind,
): Generator<() => void> {
  if (kind === 'empirical') {
    yield () => loss(batch).mul(batch.size).backward()
    return
  }
  const classes = kind === 'exact' ? logits!(batch).shape.at(-1)! : 1
  for (let c = 0; c < classes; c++) {
    yield () => {
      const scores = logits!(batch) // [items, classes]
      const probabilities = scores.detach().softmax()
      const p = probabilities.data as Float32Array
      const width = scores.shape.at(-1)!
      const gradient = new Float32Array(scores.size)
      for (let row = 0; row < batch.size; row++) {
        const at = row * width
        const target = kind === 'exact' ? c : draw(p.subarray(at, at + width), rng.next())
        // √p_c·∇log p_c: squared, it is class c's term of the sum.
        const weight = kind === 'exact' ? Math.sqrt(p[at + c]!) : 1
        for (let j = 0; j < width; j++) gradient[at + j] = weight * ((j === target ? 1 : 0) - p[at + j]!)
      }
      scores.backward(fromData(gradient, scores.shape))
    }
  }
}

/** The class in which a number from [0, 1) falls. */
function draw(probabilities: Float32Array, at: number): number {
  let sum = 0
  for (let c = 0; c < probabilities.length; c++) {
    sum += probabilities[c]!
    if (at < sum) return c
  }
  return probabilities.length - 1
}
