// node play-fault.mjs ROOT FAULT PACE: sets the tree up, says `ready` and lets it run; on a line of input plays the fault and says
// `played`; on the next prints what was truly used, and ends. `--list` prints the faults.
import { createInterface } from 'node:readline'
import { faults } from './faults.mjs'
import { FaultyTree } from './faulty-tree.mjs'

const [root, name, pace] = process.argv.slice(2)
if (root === '--list') {
  const listed = Object.entries(faults).map(([fault, { known = false, needs }]) => ({ fault, known, needs }))
  console.log(JSON.stringify(listed))
} else {
  const tree = new FaultyTree(root, Number(pace))
  const fault = faults[name]
  fault.setUp(tree)
  tree.tick()
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  console.log('ready')
  await runUntil(lines.next(), tree)
  await fault.play(tree)
  console.log('played')
  await runUntil(lines.next(), tree)
  tree.tick()
  console.log(JSON.stringify({ log: tree.log, worstGap: tree.worstGap }))
  process.exit(0)
}

/** Between the phases the counters go on. */
async function runUntil(line, tree) {
  const answered = Symbol('answered')
  const answer = line.then(() => answered)
  let turn
  do turn = await Promise.race([answer, tree.run(0.02)])
  while (turn !== answered)
}
