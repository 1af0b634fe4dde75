import { checkCount, invalid } from '../check.js'

/** What a loss must be able to do: a tensor of one value, or a number in a wrapper. */
export interface Summable<Loss> {
  mul(factor: number): Loss
  add(other: Loss): Loss
}

export interface ExitLossOptions<Loss> {
  /** One per exit. Default k/Σk for k = 1…exits: the deeper, the heavier (Zhou et al. 2020, PABEE). */
  readonly weights?: readonly number[]
  /**
   * Self-distillation (Zhang et al. 2019, "Be your own teacher"): how far each exit but the last is from the last one's probabilities,
   * taken as fixed, and what that weighs.
   */
  readonly distillation?: { readonly divergences: readonly Loss[]; readonly weight: number }
}

/**
 * The loss that trains all exits together: Σ_k w_k·loss_k + weight·Σ_{k < last} divergence_k / (exits − 1).
 *
 * @throws ERR_BIO_CONFIG for no exits, or weights and divergences of other counts
 *
 * @example
 * ```ts
 * import { exitLoss } from '@bio/batching'
 *
 * const value = (x: number) => ({ x, mul: (f: number) => value(x * f), add: (o: { x: number }): any => value(x + o.x) })
 * console.log(exitLoss([value(3), value(6)]).x) // => 5
 * ```
 */
export function exitLoss<Loss extends Summable<Loss>>(
  losses: readonly Loss[],
  { weights = defaultWeights(losses.length), distillation }: ExitLossOptions<Loss> = {},
): Loss {
  checkCount('exitLoss', 'the count of losses', losses.length)
  if (weights.length !== losses.length)
    throw invalid('exitLoss', `a weight for each of ${losses.length} losses`, weights)
  let total = weighted(losses, weights)
  if (distillation !== undefined) {
    const { divergences, weight } = distillation
    if (divergences.length !== losses.length - 1)
      throw invalid('exitLoss', `a divergence for each exit but the last, ${losses.length - 1}`, divergences)
    if (divergences.length > 0)
      total = total.add(
        weighted(
          divergences,
          Array.from(divergences, () => weight / divergences.length),
        ),
      )
  }
  return total
}

function defaultWeights(exits: number): number[] {
  return Array.from({ length: exits }, (_, k) => (2 * (k + 1)) / (exits * (exits + 1)))
}

function weighted<Loss extends Summable<Loss>>(losses: readonly Loss[], weights: readonly number[]): Loss {
  return losses.map((loss, k) => loss.mul(weights[k]!)).reduce((sum, loss) => sum.add(loss))
}
