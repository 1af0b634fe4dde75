import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describeError } from '../check.js'
import { CounterAccount } from '../counter/counter-account.js'
import type { Clock, SourceOpening } from '../source.js'
import { DeviceAccount } from './device-account.js'

/** What `amd-smi metric --power --energy --json` says of one GPU; undefined is N/A. */
export interface AmdSmiGpu {
  readonly index: number
  readonly watts: number | undefined
  readonly joules: number | undefined
}

/** The tool is a program of its own that takes some tenths of a second: it is asked seldom, and the bounds hold the time between. */
const usualPollSeconds = 2
const timeoutMs = 5000
const stuckAfterSeconds = 10
const maxWatts = 2500

/** Parses the tool's JSON: a list of GPUs, which newer versions put under `gpu_data`. Throws when it holds none. */
export function parseAmdSmi(text: string): AmdSmiGpu[] {
  const data = JSON.parse(text) as unknown
  const list = Array.isArray(data) ? data : (data as { gpu_data?: unknown } | null)?.gpu_data
  if (!Array.isArray(list) || list.length === 0) throw new Error('amd-smi lists no GPU')
  return list.map((gpu: unknown, position) => ({
    index: quantity(gpu, ['gpu']) ?? position,
    watts: quantity(gpu, ['power', 'socket_power', 'value']),
    joules: quantity(gpu, ['energy', 'total_energy_consumption', 'value']),
  }))
}

function quantity(from: unknown, path: readonly string[]): number | undefined {
  const found = path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[key] : undefined),
    from,
  )
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : undefined
}

export interface AmdSmiOptions {
  readonly command: readonly string[]
  readonly reasons: readonly string[]
  readonly now: Clock
  /** Seconds from one answer to the next question, for tests. */
  readonly pollSeconds?: number
}

/**
 * The energy counters of all GPUs together, by the tool, asked in the background: until it answers first, readings are unavailable.
 *
 * A counter that contradicts the power beside it by more than three times is refused while it does: it has stood still, run backwards and
 * been off by powers of ten in releases of the driver.
 */
export function openAmdSmi(options: AmdSmiOptions): SourceOpening {
  const { command, reasons, now, pollSeconds = usualPollSeconds } = options
  const file = findExecutable(command[0]!)
  if (file === undefined) {
    const cure = 'Install amd-smi (ROCm), or give the container /sys/class/hwmon.'
    return { usable: false, present: true, reasons: [...reasons, `there is no ${command[0]}`], cure }
  }
  const counter = new CounterAccount(
    {
      source: 'amd-smi',
      domain: 'amd-gpus',
      modulus: null,
      unit: 1,
      maxWatts,
      refreshSeconds: 0.1,
      stuckAfterSeconds,
    },
    now,
  )
  const stop = new AbortController()
  let before: AmdSmiTotal | undefined
  const poll = (): void => {
    const since = now()
    const limits = { timeout: timeoutMs, signal: stop.signal, windowsHide: true }
    const rest = [...command.slice(1), 'metric', '--power', '--energy', '--json']
    const tool = execFile(file, rest, limits, (error, stdout) => {
      if (stop.signal.aborted) return
      try {
        if (error !== null) throw error
        const total = totalOf(parseAmdSmi(stdout), now())
        counter.take({ value: contradiction(before, total) ?? total.joules, time: total.time, since })
        before = total
      } catch (failure) {
        counter.take({ value: `amd-smi: ${describeError(failure)}`, time: now(), since })
      }
      setTimeout(poll, pollSeconds * 1000).unref()
    })
    tool.unref() // a tool that hangs must not keep the process
  }
  poll()
  const account = new DeviceAccount([counter], { reasons, close: () => stop.abort() })
  return { usable: true, reasons, account }
}

interface AmdSmiTotal {
  readonly joules: number
  readonly watts: number
  readonly time: number
}

/** The sum; throws when a GPU that draws power has no counter, for a part would pass for the whole. */
function totalOf(gpus: readonly AmdSmiGpu[], time: number): AmdSmiTotal {
  const blind = gpus.find(({ watts = 0, joules }) => watts > 0 && joules === undefined)
  if (blind !== undefined) throw new Error(`GPU ${blind.index} has no energy counter`)
  if (gpus.every(({ joules }) => joules === undefined)) throw new Error('no GPU has an energy counter')
  return {
    joules: gpus.reduce((sum, { joules = 0 }) => sum + joules, 0),
    watts: gpus.reduce((sum, { watts = 0 }) => sum + watts, 0),
    time,
  }
}

const factor = 3

function contradiction(before: AmdSmiTotal | undefined, now: AmdSmiTotal): string | undefined {
  if (before === undefined || now.joules <= before.joules || before.watts === 0 || now.watts === 0)
    return undefined
  const counted = (now.joules - before.joules) / (now.time - before.time)
  const [least, most] = [
    Math.min(before.watts, now.watts) / factor,
    Math.max(before.watts, now.watts) * factor,
  ]
  if (least <= counted && counted <= most) return undefined
  return `its counter says ${counted.toFixed(0)} W, its power ${now.watts.toFixed(0)} W`
}

function findExecutable(name: string): string | undefined {
  const candidates = name.includes('/')
    ? [name]
    : (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
