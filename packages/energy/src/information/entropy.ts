import { checkNumber, invalid } from '../check.js'

/** Probabilities of single precision add up to 1 within this. */
const tolerance = 1e-3

/**
 * H = −Σ p·log₂ p, the bits that a draw from these probabilities decides: give those that are drawn from, after temperature, top-k and
 * top-p, so that a greedy choice decides 0.
 *
 * @throws `ERR_BIO_VALUE` for a probability that is negative or no number, or a sum that is not 1 (± 0.001).
 *
 * @example
 * ```ts
 * import { entropyBits } from '@bio/energy'
 *
 * console.log(entropyBits([0.5, 0.25, 0.25]), entropyBits([1, 0])) // => 1.5 0
 * ```
 */
export function entropyBits(probabilities: ArrayLike<number>): number {
  let [bits, sum] = [0, 0]
  for (let index = 0; index < probabilities.length; index++) {
    const probability = probabilities[index]!
    if (!(probability >= 0)) {
      throw invalid('entropyBits', `probability ${index} to be at least 0`, probability)
    }
    sum += probability
    if (probability > 0) bits -= probability * Math.log2(probability)
  }
  if (Math.abs(sum - 1) <= tolerance) return Math.max(0, bits)
  throw invalid('entropyBits', 'probabilities that add up to 1', `a sum of ${sum}`)
}

/**
 * −log₂ q, the surprise at an action of probability q under the model itself, before temperature and cuts: greedy choices have it too.
 *
 * @throws `ERR_BIO_VALUE` unless 0 < q ≤ 1.
 */
export function surprisalBits(probability: number): number {
  checkNumber('surprisalBits', 'probability', probability, { minimum: 0, maximum: 1, exclusive: true })
  return probability === 1 ? 0 : -Math.log2(probability)
}
