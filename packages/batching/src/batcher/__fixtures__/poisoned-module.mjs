// Doubles ids, unless one of the inputs is poison: then the whole run fails in its way.
const deeds = {
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

export function run(inputs) {
  const outputs = inputs.map(({ id }) => 2 * id)
  const poison = inputs.find((input) => input.poison !== undefined)?.poison
  return poison === undefined ? outputs : deeds[poison](outputs)
}
