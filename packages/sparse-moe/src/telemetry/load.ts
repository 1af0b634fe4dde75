/** How evenly the choices fell on the experts. */
export interface ExpertLoad {
  /** [experts] share of the choices that fell on each expert; sums to 1, all 0 while nothing was counted. */
  readonly load: Float64Array
  /** max load / mean load − 1: 0 is even, experts − 1 is everything on one expert. */
  readonly maxViolation: number
  /** Experts that nothing fell on. */
  readonly deadExperts: number
}

/**
 * The load from the number of choices per expert.
 *
 * f_e = count_e / Σ count, maxViolation = experts·max f − 1 (Wang et al. 2024, arXiv:2408.15664, there MaxVio).
 *
 * @param counts [experts]
 */
export function measureLoad(counts: ArrayLike<number>): ExpertLoad {
  const experts = counts.length
  const load = new Float64Array(experts)
  let total = 0
  let most = 0
  let deadExperts = 0
  for (let expert = 0; expert < experts; expert++) {
    const count = counts[expert]!
    total += count
    most = Math.max(most, count)
    if (count === 0) deadExperts++
  }
  if (total === 0) return { load, maxViolation: 0, deadExperts }
  for (let expert = 0; expert < experts; expert++) load[expert] = counts[expert]! / total
  return { load, maxViolation: (most * experts) / total - 1, deadExperts }
}
