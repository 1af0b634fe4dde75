import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { unavailableReading, type Reading } from '../../reading/reading.js'
import { raplSource } from '../rapl-source.js'

const player = fileURLToPath(new URL('play-fault.mjs', import.meta.url))

/** A fault of `faults.mjs` that this process can bring about; `known` says that the counters still tell the truth. */
export interface PlayableFault {
  readonly fault: string
  readonly known: boolean
  readonly needs?: 'root' | 'drop'
}

/** What was read, and between which joules the truth lay. */
export interface PlayedFault {
  readonly reading: Reading
  readonly least: number
  readonly most: number
}

export function playableFaults(): readonly PlayableFault[] {
  const { stdout } = spawnSync(process.execPath, [player, '--list'], { encoding: 'utf8' })
  const listed = JSON.parse(stdout) as PlayableFault[]
  const root = process.getuid?.() === 0
  // A process of root reads what nobody may; another has no file whose reads give EINVAL.
  return listed.filter(({ needs }) => needs === undefined || needs === (root ? 'root' : 'drop'))
}

/** Another process runs a tree of files in real time and breaks it; the sampling thread reads them. Played again if that process was held up. */
export async function playFault(name: string): Promise<PlayedFault> {
  for (let attempt = 1; ; attempt++) {
    const { worstGap, ...played } = await playOnce(name)
    if (worstGap < 0.04 || attempt === 8) return played
  }
}

async function playOnce(name: string): Promise<PlayedFault & { readonly worstGap: number }> {
  using tree = await startTree(name)
  const opening = await raplSource({ root: tree.root, hertz: 100 }).open()
  const times = [seconds()]
  const span = opening.usable ? opening.account.startSpan() : undefined
  times.push(seconds())
  await tree.ask('play')
  times.push(seconds())
  const reasons = opening.usable ? [] : opening.reasons
  const reading = span?.read() ?? unavailableReading({ source: 'rapl', seconds: 0, reasons })
  times.push(seconds())
  if (opening.usable) opening.account.close?.()
  const { log, worstGap } = JSON.parse(await tree.ask('end')) as {
    log: [number, number, number][]
    worstGap: number
  }
  // The counters are refreshed by the ticks of that process, and not between them.
  const used = (time: number, side: 'before' | 'after'): number => usedUntil(log, time, side, reading)
  const [begin, began, end, ended] = times as [number, number, number, number]
  const least = used(end, 'before') - used(began, 'after')
  const most = used(ended, 'after') - used(begin, 'before')
  return { reading, least, most, worstGap }
}

/** A tree whose counters run; another process keeps them. */
export interface RunningTree extends Disposable {
  readonly root: string
  /** Says a line to that process and returns its answer. */
  ask(line: string): Promise<string>
}

/** `pace` below 1 plays faster. */
export async function startTree(fault: string, pace = 0.2): Promise<RunningTree> {
  const folder = mkdtempSync(join(tmpdir(), 'bio-fault-'))
  const child = spawn(process.execPath, [player, folder, fault, String(pace)], { stdio: ['pipe', 'pipe', 'inherit'] })
  raisePriority(child.pid!)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => String((await lines.next()).value)
  await answer() // ready
  return {
    root: join(folder, 'class'),
    async ask(line) {
      child.stdin.write(`${line}\n`)
      return answer()
    },
    [Symbol.dispose]() {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, maxRetries: 5 })
    },
  }
}

/** Joules of what the reading covers, packages and DRAM, by the tick before or after a time. */
function usedUntil(
  log: readonly (readonly [number, number, number])[],
  time: number,
  side: 'before' | 'after',
  { domains }: Reading,
): number {
  const next = log.findIndex(([ticked]) => ticked >= time)
  const after = next === -1 ? log.length - 1 : next
  const [, packages, dram] = log[side === 'after' ? after : Math.max(0, after - 1)]!
  return packages + (domains.some((domain) => domain.startsWith('dram')) ? dram : 0)
}

/** The clock that the other process tells too. */
function seconds(): number {
  return Number(process.hrtime.bigint()) / 1e9
}

/** The counters of real hardware wait for nobody. */
function raisePriority(pid: number): void {
  try {
    setPriority(pid, -15)
  } catch {
    // only root may
  }
}
