/**
 * Runs each contender `repetitions` times in turn, never one of them in a block of its own: what drifts (clock, neighbours, heap)
 * drifts over all of them. Who begins changes with each repetition.
 *
 * `contenders`: functions by name, each returning a value or a promise of one. Returns the values by name, in order of repetition.
 */
export async function alternate(contenders, repetitions) {
  const names = Object.keys(contenders)
  const values = Object.fromEntries(names.map((name) => [name, []]))
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(repetition + turn) % names.length]
      values[name].push(await contenders[name]())
    }
  return values
}
