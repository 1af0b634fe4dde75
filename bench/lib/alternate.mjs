/**
 * Runs each contender `repetitions` times in turn, never one of them in a block of its own: what drifts (clock, neighbours, heap)
 * drifts over all of them. Who begins changes with each repetition.
 *
 * `contenders`: functions by name, each returning a value or a promise of one. Returns the values by name, in order of repetition. Where
 * they are slow, `least` repetitions are enough once `seconds` are over.
 */
export async function alternate(contenders, repetitions, { least = repetitions, seconds = Infinity } = {}) {
  const names = Object.keys(contenders)
  const values = Object.fromEntries(names.map((name) => [name, []]))
  const end = performance.now() + 1000 * seconds
  for (let repetition = 0; repetition < repetitions; repetition++) {
    if (repetition >= least && performance.now() > end) break
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(repetition + turn) % names.length]
      values[name].push(await contenders[name]())
    }
  }
  return values
}
