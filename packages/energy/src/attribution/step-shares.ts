import { checkNumber } from '../check.js'

/** How the cost of a step is counted, in any one unit: tokens, bytes, operations, joules of a model. */
export interface StepCost<Item> {
  /** Marginal cost: what this item adds to its step, at least 0. */
  readonly cost: (item: Item) => number
  /** What a step costs whoever is in it, such as the weights that it reads once; 0 by default. */
  readonly fixedCost?: number
}

/**
 * The share of each item in its step's energy: sᵢ = (cᵢ + f/n) / (f + Σc), or 1/n where nothing costs anything. Σs = 1.
 *
 * Everyone pays their marginal cost cᵢ, and an equal part of the fixed cost f: the Shapley value of the cost game C(S) = f + Σ_{i∈S} cᵢ.
 *
 * @throws `ERR_BIO_VALUE` for a cost that is negative, infinite or no number, or costs whose sum is.
 */
export function stepShares<Item>(
  items: readonly Item[],
  { cost, fixedCost = 0 }: StepCost<Item>,
): readonly number[] {
  const costs = items.map((item) => {
    const value = cost(item)
    checkNumber('RequestEnergy', 'cost', value, { minimum: 0 })
    return value
  })
  const total = costs.reduce((sum, value) => sum + value, fixedCost)
  checkNumber('RequestEnergy', 'the costs of a step together', total, { minimum: 0 })
  const { length } = items
  return total === 0
    ? costs.map(() => 1 / length)
    : costs.map((value) => (value + fixedCost / length) / total)
}
