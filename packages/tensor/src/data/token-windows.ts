import { BioError } from '@bio/errors'
import { fromData } from '../create.js'
import type { Rng } from '../rng.js'
import type { Tensor } from '../tensor.js'

/**
 * Random windows of a token sequence with their next tokens, for training a language model. The state is the generator's. Errors:
 * ERR_BIO_SHAPE (fewer than length + 1 tokens, sizes that aren't positive whole numbers).
 *
 * @example
 * ```ts
 * import { Rng, TokenWindows } from '@bio/tensor'
 *
 * const { x, y } = new TokenWindows([5, 6, 7, 8], { length: 3, batch: 1, rng: new Rng(0) }).next()
 * console.log(x.toArray().join(), y.toArray().join()) // => 5,6,7 6,7,8
 * ```
 */
export class TokenWindows {
  readonly #tokens: ArrayLike<number>
  readonly #options: { length: number; batch: number; rng: Rng }

  constructor(
    tokens: ArrayLike<number>,
    { length, batch, rng }: { length: number; batch: number; rng: Rng },
  ) {
    const whole = [length, batch].every((size) => Number.isSafeInteger(size) && size > 0)
    if (!whole || tokens.length <= length) {
      throw new BioError('ERR_BIO_SHAPE', {
        operation: 'TokenWindows',
        expected: 'length and batch of at least 1, and more tokens than length',
        received: `length ${length}, batch ${batch}, ${tokens.length} tokens`,
      })
    }
    this.#tokens = tokens
    this.#options = { length, batch, rng }
  }

  /** x: `batch` windows one after the other, i32 [batch·length]; y: the token after each. */
  next(): { x: Tensor; y: Tensor } {
    const { length, batch, rng } = this.#options
    const [x, y] = [new Int32Array(batch * length), new Int32Array(batch * length)]
    for (let row = 0; row < batch; row++) {
      const start = rng.int(this.#tokens.length - length)
      for (let i = 0; i < length; i++) {
        x[row * length + i] = this.#tokens[start + i]!
        y[row * length + i] = this.#tokens[start + i + 1]!
      }
    }
    return { x: fromData(x), y: fromData(y) }
  }
}
