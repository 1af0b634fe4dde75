import { pixelsPerDigit, toPatches, type Digits } from './digits.js'
import type { Way } from './ways.js'

export interface Measured {
  /** Milliseconds per batch, of the fastest pass and of the median one. */
  readonly best: number
  readonly median: number
  readonly accuracy: number
  /** The stage by which each digit left, [digits]. */
  readonly exits: Int32Array
}

/**
 * Passes over the digits in batches, way after way in turns, each repetition beginning with another; one pass each beforehand, untimed.
 * The time is of everything from patches to predictions.
 */
export async function measure(
  ways: readonly Way[],
  {
    digits,
    batch,
    repetitions,
    signal,
    progress,
  }: {
    digits: Digits
    batch: number
    repetitions: number
    signal: AbortSignal
    progress: (share: number) => void
  },
): Promise<Measured[]> {
  const batches = Array.from({ length: Math.ceil(digits.size / batch) }, (_, i) =>
    toPatches(digits.pixels.subarray(i * batch * pixelsPerDigit, (i + 1) * batch * pixelsPerDigit)),
  )
  const passes = ways.map((way) => ({
    way,
    times: [] as number[],
    right: 0,
    exits: new Int32Array(digits.size),
  }))
  for (let repetition = -1; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < ways.length; turn++) {
      // Ctrl-C gets its turn.
      await new Promise((next) => setImmediate(next))
      const pass = passes[(turn + repetition + 1) % ways.length]!
      pass.right = 0
      const start = performance.now()
      for (const [i, x] of batches.entries()) {
        signal.throwIfAborted()
        const { predictions, exits } = await pass.way(x)
        pass.exits.set(exits, i * batch)
        predictions.forEach((said, row) => (pass.right += Number(said === digits.labels[i * batch + row])))
      }
      if (repetition >= 0) pass.times.push((performance.now() - start) / batches.length)
      progress(((repetition + 1) * ways.length + turn + 1) / ((repetitions + 1) * ways.length))
    }
  }
  return passes.map(({ times, right, exits }) => {
    const ascending = times.toSorted((a, b) => a - b)
    const [best, median] = [ascending[0]!, ascending[Math.floor(ascending.length / 2)]!]
    return { best, median, accuracy: right / digits.size, exits }
  })
}
