// Doubles ids after a while, unless one of the inputs is poison: then the whole run fails in its way.
const deeds = {
  'item error': (outputs, inputs) =>
    outputs.map((output, index) => (inputs[index].poison === 'item error' ? new Error('item') : output)),
  throw: () => {
    throw new Error('poison')
  },
  'wrong count': (outputs) => outputs.slice(1),
  NaN: (outputs) => outputs.map(() => Number.NaN),
  exit: () => process.exit(3),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  hang: () => {
    for (;;);
  },
}

export async function run(inputs) {
  const waitMs = Math.max(0, ...inputs.map((input) => input.waitMs ?? 0))
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
  const outputs = inputs.map(({ id }) => 2 * id)
  const poisons = inputs.flatMap(({ poison }) => (poison === undefined ? [] : [poison]))
  const worst = Object.keys(deeds).findLast((deed) => poisons.includes(deed))
  return worst === undefined ? outputs : deeds[worst](outputs, inputs)
}
