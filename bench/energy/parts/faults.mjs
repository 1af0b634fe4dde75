// Every fault of the tests of @bio/energy, played on real files in real time, before all meters at once.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { judge } from '../verdict.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const player = here('../../../packages/energy/src/powercap/__fixtures__/play-fault.mjs')
const isRoot = process.getuid?.() === 0

/** A meter is `{ name, version, command }`; the tree's folder is its last argument. */
function meters() {
  const ours = {
    name: '@bio/energy',
    version: 'this checkout',
    command: [process.execPath, here('../meters/ours.mjs')],
  }
  const python = process.env.BIO_BENCH_PYTHON
  if (python === undefined) console.log('skipped: CodeCarbon and pyJoules (no Python environment)')
  if (python === undefined) return [ours]
  const version = (name) => {
    const code = `from importlib.metadata import version; print(version('${name}'))`
    return spawnSync(python, ['-c', code], { encoding: 'utf8' }).stdout.trim()
  }
  const peers = [
    {
      name: 'CodeCarbon',
      version: version('codecarbon'),
      command: [python, here('../meters/codecarbon_meter.py')],
    },
    {
      name: 'pyJoules',
      version: version('pyJoules'),
      command: [python, here('../meters/pyjoules_meter.py')],
    },
  ]
  return [ours, ...peers]
}

export async function faultsPart({ quick }) {
  const contenders = meters()
  const listed = JSON.parse(spawnSync(process.execPath, [player, '--list'], { encoding: 'utf8' }).stdout)
  const playable = listed.filter(({ fault, needs }) => {
    if (needs !== 'root' || isRoot) return true
    console.log(`skipped: ${fault} (only root has a file whose reads give EINVAL)`)
    return false
  })
  const rows = []
  for (const { fault, known, needs } of quick ? playable.filter((_, index) => index % 5 === 0) : playable) {
    const answers = await playUndisturbed(fault, needs, contenders)
    const verdicts = contenders.map(({ name, version }, index) => {
      const { answer, least, most } = answers[index]
      return { name, version, answer, truth: [least, most], ...judge(answer, { least, most }) }
    })
    rows.push({ part: 'faults', fault, countersTellTheTruth: known, verdicts })
    console.log(`\n${fault}`)
    for (const { name, verdict, detail } of verdicts)
      console.log(`  ${name.padEnd(12)} ${verdict}: ${detail.slice(0, 150)}`)
  }
  printTable(rows, contenders)
  return rows
}

/** Counters of real hardware wait for nobody: when this machine held up the process that plays them, it plays again. */
async function playUndisturbed(fault, needs, contenders) {
  for (let attempt = 1; ; attempt++) {
    const { answers, worstGap } = await play(fault, needs, contenders)
    if (worstGap < 0.05 || attempt === 5) return answers
  }
}

async function play(fault, needs, contenders) {
  const folder = mkdtempSync(join(tmpdir(), 'bio-bench-'))
  const tree = new Talk([process.execPath, player, folder, fault, '1'])
  tree.hurry()
  try {
    await tree.hear()
    const talks = contenders.map(
      ({ command }) => new Talk([...withoutRights(needs), ...command, join(folder, 'class')]),
    )
    // A meter whose library raises while it opens answers at once, and only so.
    const opened = await Promise.all(talks.map((talk) => talk.hear()))
    const all = (step) =>
      Promise.all(talks.map((talk, index) => (opened[index] === 'open' ? step(talk) : opened[index])))
    const timed = async (talk, line) => {
      const from = now()
      const answer = await talk.ask(line)
      return { from, answer, to: now() }
    }
    const begins = await all((talk) => timed(talk, 'begin'))
    await tree.ask('play')
    const ends = await all((talk) => timed(talk, 'end'))
    const { log, worstGap } = await tree.ask('end')
    const answers = begins.map((begin, index) => {
      const { answer: begun } = begin
      if (begin.from === undefined) return { answer: begin, least: 0, most: 0 }
      const answer = begun === 'begun' ? ends[index].answer : begun
      const used = (time, side) => usedUntil(log, time, side, answer.dram === true)
      const least = used(ends[index].from, 'before') - used(begin.to, 'after')
      return { answer, least, most: used(ends[index].to, 'after') - used(begin.from, 'before') }
    })
    for (const talk of talks) talk.end()
    return { answers, worstGap }
  } finally {
    tree.end()
    rmSync(folder, { recursive: true, maxRetries: 5 })
  }
}

/** Joules of the packages, with their DRAM where it is counted, by the tick of the counters before or after a time. */
function usedUntil(log, time, side, dram) {
  const next = log.findIndex(([ticked]) => ticked >= time)
  const after = next === -1 ? log.length - 1 : next
  const [, packages, memory] = log[side === 'after' ? after : Math.max(0, after - 1)]
  return packages + (dram ? memory : 0)
}

/** Root reads what nobody may, unless it gives that right away. */
function withoutRights(needs) {
  if (needs !== 'drop' || !isRoot) return []
  const rights = '-dac_override,-dac_read_search'
  return ['setpriv', '--inh-caps', rights, '--bounding-set', rights]
}

/** Another process, spoken to in lines and answering in JSON (the tree also in plain words). */
class Talk {
  #child
  #lines

  constructor([program, ...args]) {
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#child.stdin.on('error', () => {}) // it ended: the next answer says so
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  ask(line) {
    this.#child.stdin.write(`${line}\n`)
    return this.hear()
  }

  async hear() {
    const { value, done } = await this.#lines.next()
    if (done) return { raised: 'the process ended without an answer' }
    return /^[[{"]/.test(value) ? JSON.parse(value) : value
  }

  /** Counters of hardware come before programs; only root may say so. */
  hurry() {
    try {
      setPriority(this.#child.pid, -15)
    } catch {
      console.log('the counters are played at the priority of everything else')
    }
  }

  end() {
    this.#child.kill('SIGKILL')
  }
}

function printTable(rows, contenders) {
  console.log(`\n| fault | ${contenders.map(({ name, version }) => `${name} ${version}`).join(' | ')} |`)
  console.log(`| --- |${contenders.map(() => ' --- |').join('')}`)
  for (const { fault, verdicts } of rows) {
    const cells = verdicts.map(({ verdict, detail }) =>
      verdict === 'wrong' || verdict === 'estimate' ? `${verdict} (${detail})` : verdict,
    )
    console.log(`| ${fault} | ${cells.join(' | ')} |`)
  }
  for (const [index, { name }] of contenders.entries()) {
    const counts = tally(rows.map(({ verdicts }) => verdicts[index].verdict))
    const text = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ')
    console.log(`${name}: ${text}, of ${rows.length}`)
  }
}

function tally(words) {
  const counts = new Map()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

function now() {
  return Number(process.hrtime.bigint()) / 1e9
}
