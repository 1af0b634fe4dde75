/** How fast old runs are forgotten: the weight of one after n newer ones is 0.95ⁿ. */
const memory = 0.95

/** Runs after which it is known what a run rarely exceeds. */
const known = 20

/** Standard errors in a mean error, where errors are normal: √(π/2). */
const standardErrors = Math.sqrt(Math.PI / 2)

/**
 * Learns how long a run takes: duration ≈ a·cost + b, by least squares over the recent runs.
 *
 * While all runs had about the same cost, a and b cannot be told apart: half of the duration is then taken for fixed, an opinion
 * that stays with the weight of a tenth of a run. The first run is left out as soon as there is a second: it warmed caches and compilers up.
 */
export class CostModel {
  #runs = 0
  // Decayed sums over runs: of 1, cost, cost², ms, cost·ms.
  #weight = 0
  #cost = 0
  #costSquared = 0
  #ms = 0
  #costMs = 0
  #a = 0
  #b = 0
  /** Decayed mean of the errors of prediction, without their signs: one run that the machine held up says little of the next. */
  #error = 0

  /** b: milliseconds of a run that do not depend on its size; 0 before the first run. */
  get fixedMs(): number {
    return this.#b
  }

  /** a: milliseconds for each unit of cost. */
  get msPerCost(): number {
    return this.#a
  }

  /** Milliseconds of a run of this cost; 0 before the first run. */
  predict(cost: number): number {
    return this.#a * cost + this.#b
  }

  /** What a run of this cost rarely exceeds: three standard errors above the prediction. */
  predictHigh(cost: number): number {
    return this.predict(cost) + 3 * standardErrors * this.#error
  }

  /** A run of this cost took so long; what it took beyond what runs rarely exceed was no part of it, and teaches nothing of others. */
  learn(cost: number, tookMs: number): void {
    this.#runs += 1
    if (this.#runs === 2) this.#weight = this.#cost = this.#costSquared = this.#ms = this.#costMs = 0
    const ms = this.#runs > known ? Math.min(tookMs, this.predictHigh(cost)) : tookMs
    if (this.#runs > 2)
      this.#error = memory * this.#error + (1 - memory) * Math.abs(tookMs - this.predict(cost))
    this.#weight = memory * this.#weight + 1
    this.#cost = memory * this.#cost + cost
    this.#costSquared = memory * this.#costSquared + cost * cost
    this.#ms = memory * this.#ms + ms
    this.#costMs = memory * this.#costMs + cost * ms
    this.#fit()
  }

  #fit(): void {
    const meanCost = this.#cost / this.#weight
    const meanMs = this.#ms / this.#weight
    const variance = Math.max(0, this.#costSquared / this.#weight - meanCost * meanCost)
    const covariance = this.#costMs / this.#weight - meanCost * meanMs
    const opinion = (meanCost * meanCost) / (10 * this.#weight)
    if (!(variance + opinion > 0)) {
      this.#a = 0 // all costs are 0
      this.#b = meanMs
      return
    }
    const slope = (covariance + (opinion * meanMs) / (2 * meanCost)) / (variance + opinion)
    this.#a = Math.min(Math.max(slope, 0), meanMs / meanCost) // neither part may be negative
    this.#b = meanMs - this.#a * meanCost
  }
}
