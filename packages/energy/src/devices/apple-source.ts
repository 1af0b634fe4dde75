import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'
import { invalid } from '../check.js'
import { PowerAccount } from '../counter/power-account.js'
import { monotonicSeconds, type Clock, type EnergySource, type SourceOpening } from '../source.js'
import { DeviceAccount } from './device-account.js'

export interface AppleOptions {
  /** How to run powermetrics; by itself for root, else through `sudo -n`, which a rule must allow. */
  readonly command?: readonly string[]
  readonly now?: Clock
}

const intervalSeconds = 0.5
/** The tool is as late as this with what it prints. */
const delaySeconds = 0.1
const maxWatts = 400
const domains = { CPU: 'cpu', GPU: 'gpu', ANE: 'ane' } as const
/** A tool without permission is gone by then; one that still runs is taken to work. */
const patienceMs = 40

/** The rule that lets one user run that one tool. */
export const powermetricsCure: string = [
  'As an administrator, run: sudo visudo -f /etc/sudoers.d/powermetrics',
  'and write the line: USER ALL=(root) NOPASSWD: /usr/bin/powermetrics',
].join('\n')

/**
 * Apple silicon by `powermetrics`: CPU, GPU and neural engine as averages of half a second that follow one another. They are Apple's own
 * estimates of power, so readings are estimated; the bounds hold the time between, not the error of the estimate.
 *
 * @throws `ERR_BIO_VALUE` for an empty command.
 */
export function appleSource(options: AppleOptions = {}): EnergySource {
  const { command, now = monotonicSeconds } = options
  if (command !== undefined && (!Array.isArray(command) || command.length === 0)) {
    throw invalid('appleSource', 'a command', command)
  }
  return {
    name: 'powermetrics',
    component: 'cpu',
    method: 'estimated',
    async open(): Promise<SourceOpening> {
      if (command === undefined && process.platform !== 'darwin') {
        return { usable: false, present: false, reasons: ['powermetrics is of macOS'] }
      }
      return openTool(command ?? defaultCommand(), now)
    },
  }
}

function defaultCommand(): readonly string[] {
  const tool = '/usr/bin/powermetrics'
  return process.getuid?.() === 0 ? [tool] : ['/usr/bin/sudo', '-n', tool]
}

async function openTool(command: readonly string[], now: Clock): Promise<SourceOpening> {
  const [file, ...before] = command as [string, ...string[]]
  const rest = [
    '--samplers',
    'cpu_power,gpu_power,ane_power',
    '--sample-rate',
    String(intervalSeconds * 1000),
    '--format',
    'text',
  ]
  const tool = spawn(file, [...before, ...rest], { stdio: ['ignore', 'pipe', 'pipe'] })
  letGo(tool)
  const accounts = Object.entries(domains).map(
    ([name, domain]) => [name as keyof typeof domains, powerAccount(domain, now)] as const,
  )
  const take = (value: (name: keyof typeof domains) => number | string): void => {
    for (const [name, account] of accounts) account.take({ value: value(name), time: now() })
  }
  tool.stdout.setEncoding('utf8')
  let line = ''
  tool.stdout.on('data', (chunk: string) => {
    const lines = (line + chunk).split('\n')
    line = lines.pop()!.slice(-1000)
    for (const text of lines) {
      const power = parsePower(text)
      if (power === undefined) continue
      accounts.find(([name]) => name === power.name)?.[1].take({ value: power.watts, time: now() })
    }
  })
  const ended = new Promise<string>((resolve) => {
    let complaint = ''
    tool.stderr.setEncoding('utf8')
    tool.stderr.on('data', (chunk: string) => (complaint = (complaint + chunk).slice(0, 300)))
    tool.once('error', (error) => resolve(error.message))
    tool.once('close', (code) => resolve(`powermetrics ended (${code}) ${complaint.trim()}`.trim()))
  })
  void ended.then((reason) => take(() => reason))
  const reason = await Promise.race([ended, patience()])
  if (reason !== undefined) return { usable: false, present: true, reasons: [reason], cure: powermetricsCure }
  const account = new DeviceAccount(
    accounts.map(([, each]) => each),
    { reasons: [], close: () => tool.kill() },
  )
  return { usable: true, reasons: [], account }
}

/** `CPU Power: 1234 mW`; undefined for any other line. */
export function parsePower(
  line: string,
): { readonly name: keyof typeof domains; readonly watts: number } | undefined {
  const [, name, milliwatts] = /^(CPU|GPU|ANE) Power: (\d+(?:\.\d+)?) mW\s*$/.exec(line) ?? []
  return name === undefined
    ? undefined
    : { name: name as keyof typeof domains, watts: Number(milliwatts) / 1000 }
}

function powerAccount(domain: string, now: Clock): PowerAccount {
  return new PowerAccount(
    {
      source: 'powermetrics',
      domain,
      maxWatts,
      refreshSeconds: delaySeconds,
      averagingSeconds: intervalSeconds,
      unitWatts: 0.001,
      assumptions: ['powermetrics prints estimates of power by Apple'],
    },
    now,
  )
}

/** Neither the tool nor its pipes keep the process. */
function letGo(tool: ChildProcessByStdio<null, Readable, Readable>): void {
  tool.unref()
  for (const pipe of [tool.stdout, tool.stderr]) (pipe as Readable & { unref?: () => void }).unref?.()
}

async function patience(): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, patienceMs))
  return undefined
}
