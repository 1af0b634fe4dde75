import { randomUUID } from 'node:crypto'
import { defaultSources, EnergyMeter, type EnergySource, type Reading, type SourceStatus } from '@bio/energy'
import { PowerLog } from './power-log.js'
import { runCommand, type Ending, type SignalSource } from './run-command.js'

/** What a command used, and how it ended. */
export interface CommandEnergy extends Ending {
  readonly command: readonly string[]
  readonly startedAt: string
  readonly endedAt: string
  readonly seconds: number
  /** Whose energy `energy` is: of the command's own processes, or of the whole machine while it ran. */
  readonly scope: 'processes' | 'machine'
  /** Counters see whole chips, so what they measure is the machine's; an estimate is of the processes alone where they can be told apart. */
  readonly energy: Reading
  /** Gross, whoever caused it. */
  readonly machine: Reading
  /** The machine's, piece by piece: power over time. */
  readonly power: readonly Reading[]
  readonly sources: readonly SourceStatus[]
}

export interface MeasureCommandOptions {
  readonly signals?: SignalSource
  /** What to ask, an estimate being of the machine or of the processes that this one starts; by default all that a meter knows. */
  readonly sources?: (scope: 'machine' | 'children', mark: string) => readonly EnergySource[]
}

/** Runs a command, of Node or not, between the two ends of a window. Throws what `runCommand` rejects with. */
export async function measureCommand(
  command: readonly string[],
  { signals, sources = (scope, mark) => defaultSources({ scope, mark }) }: MeasureCommandOptions = {},
): Promise<CommandEnergy> {
  // Its processes inherit it, and so are known for its own when the command has left them behind.
  const [name, value] = ['BIO_ENERGY_COMMAND', randomUUID()]
  const mark = `${name}=${value}`
  await using machineMeter = await EnergyMeter.open({ sources: sources('machine', mark) })
  await using commandMeter = await EnergyMeter.open({ sources: sources('children', mark) })
  const windows = [machineMeter.begin('machine'), commandMeter.begin('command')] as const
  using log = new PowerLog(machineMeter)
  const startedAt = new Date().toISOString()
  const start = performance.now()
  const environment = { ...process.env, [name]: value }
  const ending = await runCommand(command, { environment, ...(signals === undefined ? {} : { signals }) })
  const seconds = (performance.now() - start) / 1000
  const endedAt = new Date().toISOString()
  const power = log.end()
  const [machine, own] = [windows[0].end(), windows[1].end()]
  // Only Linux tells what processes that have ended took.
  const scope = own.boundary === 'process' && own.joules !== null ? 'processes' : 'machine'
  const energy = scope === 'processes' ? own : machine
  const sourcesAsked = machineMeter.sources()
  return {
    command,
    startedAt,
    endedAt,
    seconds,
    ...ending,
    scope,
    energy,
    machine,
    power,
    sources: sourcesAsked,
  }
}
