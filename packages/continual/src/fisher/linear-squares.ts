import { getKernels } from '@bio/kernels'
import { Linear, observeLinear, type Module, type Tensor } from '@bio/tensor'
import { batchOf, type Dataset } from '../data/dataset.js'
import type { StrategyContext } from '../strategies/strategy.js'
import { backwardPasses, type Diagonal, type FisherKind } from './diagonal.js'

/** What a linear layer showed for one batch. */
interface Seen {
  readonly x: Float32Array // [items, in]
  /** Σ over passes of dy². */
  readonly squares: Float32Array // [items, out]
  /** Shown more than once in a pass, or with rows that are not items: its rows are no per-item gradients. */
  shared: boolean
  pass: number
}

const batchItems = 128

/**
 * Adds (δ²)ᵀ(a²) for every linear layer that sees each item as one row, and returns the parameters that are still to do. For several passes
 * (classes), δ² is summed before the one product.
 */
export function linearSquares(
  context: StrategyContext,
  data: Dataset,
  items: Int32Array,
  { kind, diagonal }: { kind: FisherKind; diagonal: Diagonal },
): Set<Tensor> {
  const rest = new Set(context.model.parameters())
  const biases = new Map<Tensor, Tensor>()
  for (const [, module] of context.model.namedModules()) {
    if (module instanceof Linear && module.bias !== undefined) biases.set(module.weight, module.bias)
  }
  const shared = tied(context.model)
  for (let from = 0; from < items.length; from += batchItems) {
    const chosen = items.subarray(from, from + batchItems)
    const seen = showBatch(context, data, chosen, kind)
    for (const [weight, { x, squares, shared: twice }] of seen) {
      const bias = biases.get(weight)
      if (twice || shared.has(weight) || !diagonal.has(weight)) {
        shared.add(weight)
        // What earlier batches added does not count: it will be done item by item, from nothing.
        for (const tensor of [weight, bias]) {
          if (tensor === undefined || !diagonal.has(tensor) || rest.has(tensor)) continue
          diagonal.get(tensor)!.fill(0)
          rest.add(tensor)
        }
        continue
      }
      addSquares(diagonal, { weight, bias, x, squares, rows: chosen.length })
      rest.delete(weight)
      if (bias !== undefined) rest.delete(bias)
    }
  }
  return rest
}

/** Parameters that stand in more than one module: a layer that shows one sees only its own part of the gradient. */
function tied(model: Module): Set<Tensor> {
  const names = new Map<Tensor, number>()
  for (const tensor of Object.values(model.stateDict())) names.set(tensor, (names.get(tensor) ?? 0) + 1)
  return new Set([...names].filter(([, count]) => count > 1).map(([tensor]) => tensor))
}

function showBatch(
  context: StrategyContext,
  data: Dataset,
  items: Int32Array,
  kind: FisherKind,
): Map<Tensor, Seen> {
  const seen = new Map<Tensor, Seen>()
  let pass = 0
  for (const backward of backwardPasses(context, batchOf(data, items), kind)) {
    pass += 1
    const observe = (weight: Tensor, dy: Float32Array, x: Float32Array): void => {
      const [out, width] = weight.shape
      const rowsAreItems = dy.length === items.length * out! && x.length === items.length * width!
      const before = seen.get(weight)
      if (before === undefined) {
        const squares = rowsAreItems ? dy.map((value) => value * value) : new Float32Array(0)
        seen.set(weight, { x: rowsAreItems ? x.slice() : x, squares, shared: !rowsAreItems, pass })
      } else if (before.pass === pass || !rowsAreItems) {
        before.shared = true
      } else {
        before.pass = pass
        for (let i = 0; i < dy.length; i++) before.squares[i]! += dy[i]! * dy[i]!
      }
    }
    observeLinear(observe, backward)
    context.model.zeroGrad()
  }
  return seen
}

function addSquares(
  diagonal: Diagonal,
  {
    weight,
    bias,
    x,
    squares,
    rows,
  }: { weight: Tensor; bias: Tensor | undefined; x: Float32Array; squares: Float32Array; rows: number },
): void {
  const kernels = getKernels()
  const [n, k] = weight.shape
  if (bias !== undefined) kernels.sumRows(diagonal.get(bias)!, squares, { rows, columns: n! })
  // The kernel squares both sides: it gets the roots of the sums.
  const roots = squares.map(Math.sqrt)
  kernels.squareAccumulate(diagonal.get(weight)!, roots, x, { rows, n: n!, k: k! })
}
