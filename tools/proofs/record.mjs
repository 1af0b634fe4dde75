// What the proofs found and how long they ran.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../setup.mjs'
import { run, say } from '../shell.mjs'

/** Where proofs build and keep what they made: fuzz corpora, reports. */
export const folder = join(root, 'target', 'proofs')
export const triple = 'x86_64-unknown-linux-gnu'

const rows = []

/** Fields 11 to 14 of /proc/…/stat after the name: processor time of a process, then of its children that have ended, in 1/100 s. */
export function processorSeconds(pid) {
  const [user, system, childUser, childSystem] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .split(') ')[1]
    .split(' ')
    .slice(11, 15)
    .map((ticks) => Number(ticks) / 100)
  return { own: user + system, children: childUser + childSystem }
}

export function record(name, { ok, wall, cpu, detail = '' }) {
  rows.push({ name, ok, wall, cpu, detail })
  say(`${ok ? 'no finding' : 'FINDING'}: ${name}`)
}

export function missing(name, install) {
  say(`${name} did not run: ${install}`)
  rows.push({ name, ok: false, wall: 0, cpu: 0, detail: `not run, needs: ${install}` })
}

/** Runs a command to its end as one proof, its output shown as it comes. */
export function prove(name, program, args, options) {
  say(name)
  const [start, before] = [performance.now(), processorSeconds('self').children]
  const { status } = run(program, args, options)
  const cpu = processorSeconds('self').children - before
  record(name, { ok: status === 0, wall: (performance.now() - start) / 1000, cpu })
  return status === 0
}

export const findings = () => rows.filter(({ ok }) => !ok).length

export function report() {
  const seconds = (value) => value.toFixed(0).padStart(9)
  console.log(`\n${'proof'.padEnd(48)}   wall s    cpu s`)
  for (const { name, ok, wall, cpu, detail } of rows)
    console.log(`${name.padEnd(48)}${seconds(wall)}${seconds(cpu)}  ${ok ? 'ok' : 'FINDING'}  ${detail}`)
}
