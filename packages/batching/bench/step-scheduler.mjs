// What StepScheduler costs without any model: `node packages/batching/bench/step-scheduler.mjs` after a build of the repository.
// Processor microseconds per step, of an engine that does nothing over a cache that never is full; the smallest of 25 rounds, so that a busy
// neighbour counts least.
import { StepScheduler } from '@bio/batching'

const endless = {
  blockTokens: 16,
  open: () => ({ cachedTokens: 0, reserve: () => true, commit() {}, close() {} }),
}

async function stepMicroseconds({ running, waiting = 0, terms = () => ({}) }) {
  let best = Infinity
  for (let round = 0; round < 25; round += 1) {
    const scheduler = new StepScheduler({
      cache: endless,
      engine: { step: (items) => new Int32Array(items.length) },
      maxTokensPerStep: 4096,
      maxSequences: running,
      maxQueue: 4096,
    })
    const submit = (client) =>
      scheduler.submit({
        prompt: Int32Array.of(client, 1),
        maxTokens: 2000,
        sampling: null,
        ...terms(client),
      })
    const generations = Array.from({ length: running }, (_, client) => submit(client))
    await generations[0][Symbol.asyncIterator]().next() // all of them run
    const others = Array.from({ length: waiting }, (_, client) => submit(running + client))
    const before = scheduler.stats().steps
    const start = process.cpuUsage()
    await Promise.all(generations.map(({ result }) => result))
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / (scheduler.stats().steps - before))
    for (const other of others) await other[Symbol.asyncIterator]().return()
  }
  return best.toFixed(1)
}

const allTerms = (client) => ({ tenant: `tenant ${client}`, priority: client % 3, deadlineMs: 600_000 })
for (const running of [1, 16, 32]) {
  const plain = await stepMicroseconds({ running })
  const full = await stepMicroseconds({ running, terms: allTerms })
  console.log(
    `a step of ${running} decodes: ${plain} µs; each with its tenant, priority and deadline ${full} µs`,
  )
}
const crowd = await stepMicroseconds({ running: 32, waiting: 1000, terms: allTerms })
console.log(`a step of 32 decodes while 1,000 tenants wait: ${crowd} µs`)
