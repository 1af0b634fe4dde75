// libFuzzer with AddressSanitizer on every target of `crates/bio-kernels/fuzz`. Each runs until it has used its processor time, so that a
// busy machine shortens nothing; its corpus and what broke it stay in target/proofs/fuzz.
import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../setup.mjs'
import { run, say } from '../shell.mjs'
import { folder, processorSeconds, record, triple } from './record.mjs'

const crate = join(root, 'crates', 'bio-kernels', 'fuzz')

/** The names of the targets. */
export const targets = () => readdirSync(join(crate, 'targets')).map((file) => file.replace(/\.rs$/, ''))

export async function fuzz({ minutes }) {
  say('building the fuzz targets')
  const build = [
    '+nightly',
    'fuzz',
    'build',
    '--fuzz-dir',
    crate,
    '--target-dir',
    join(folder, 'fuzz', 'build'),
  ]
  const { status, output } = run('cargo', build, { cwd: crate, quiet: true })
  if (status !== 0) {
    console.error(output)
    return record('fuzz: build', { ok: false, wall: 0, cpu: 0 })
  }
  for (const target of targets()) await fuzzTarget(target, minutes)
}

async function fuzzTarget(target, minutes) {
  const [corpus, artifacts, log] = ['corpus', 'artifacts', 'logs'].map((kind) =>
    join(folder, 'fuzz', kind, target),
  )
  for (const path of [corpus, artifacts, join(folder, 'fuzz', 'logs')]) mkdirSync(path, { recursive: true })
  const start = performance.now()
  const child = spawn(
    join(folder, 'fuzz', 'build', triple, 'release', target),
    // A case is short; its time is counted by the clock, which runs on while the process is stopped.
    [corpus, `-artifact_prefix=${artifacts}/`, '-timeout=300', '-max_len=512', '-print_final_stats=1'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  child.stderr.pipe(createWriteStream(log))
  const ended = new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)))
  let [cpu, said] = [0, 0]
  while (child.exitCode === null && child.signalCode === null && cpu < 60 * minutes) {
    await sleep(1000)
    try {
      cpu = processorSeconds(child.pid).own
    } catch {
      break // It has ended.
    }
    if (cpu - said < 60) continue
    said = cpu
    say(`fuzz ${target}: ${(cpu / 60).toFixed(1)} of ${minutes} minutes`)
  }
  child.kill('SIGUSR1') // libFuzzer ends with its statistics, and 0.
  const code = await ended
  const text = readFileSync(log, 'utf8')
  const runs = /number_of_executed_units: (\d+)/.exec(text)?.[1] ?? '?'
  const coverage = text.match(/cov: \d+/g)?.at(-1) ?? ''
  if (code !== 0) console.error(text.split('\n').slice(-60).join('\n'))
  const detail = `${runs} runs, ${coverage}`
  record(`fuzz ${target}`, { ok: code === 0, wall: (performance.now() - start) / 1000, cpu, detail })
}
