// A meter of the fault matrix: opens on the tree, begins and ends on a line of input, answers in JSON.
import { createInterface } from 'node:readline'
import { raplSource } from '../../../packages/energy/dist/index.js'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (answer) => console.log(JSON.stringify(answer))
const opening = await raplSource({ root: process.argv[2] }).open()
say('open')
await lines.next()
const span = opening.usable ? opening.account.startSpan() : undefined
say('begun')
await lines.next()
const reading = span?.read()
if (reading === undefined) say({ unavailable: opening.reasons.join('; ') })
else if (reading.joules === null) say({ unavailable: reading.reasons.join('; ') })
else say({ ...reading, dram: reading.domains.some((domain) => domain.startsWith('dram')) })
process.exit(0)
