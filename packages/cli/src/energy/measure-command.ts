import { defaultSources, EnergyMeter, type EnergySource, type Reading, type SourceStatus } from '@bio/energy'
import { runCommand, type Ending, type SignalSource } from './run-command.js'

/** What a command used, and how it ended. */
export interface CommandEnergy extends Ending {
  readonly command: readonly string[]
  readonly seconds: number
  /** Whose energy `energy` is: of the command's own processes, or of the whole machine while it ran. */
  readonly scope: 'processes' | 'machine'
  /** Counters see whole chips, so what they measure is the machine's; an estimate is of the processes alone where they can be told apart. */
  readonly energy: Reading
  /** Gross, whoever caused it. */
  readonly machine: Reading
  readonly sources: readonly SourceStatus[]
}

export interface MeasureCommandOptions {
  readonly signals?: SignalSource
  /** What to ask, an estimate being of the machine or of the processes that this one starts; by default all that a meter knows. */
  readonly sources?: (scope: 'machine' | 'children') => readonly EnergySource[]
}

/** Runs a command, of Node or not, between the two ends of a window. Throws what `runCommand` rejects with. */
export async function measureCommand(
  command: readonly string[],
  { signals, sources = (scope) => defaultSources({ scope }) }: MeasureCommandOptions = {},
): Promise<CommandEnergy> {
  await using machineMeter = await EnergyMeter.open({ sources: sources('machine') })
  await using commandMeter = await EnergyMeter.open({ sources: sources('children') })
  const windows = [machineMeter.begin('machine'), commandMeter.begin('command')] as const
  const start = performance.now()
  const ending = await runCommand(command, signals === undefined ? {} : { signals })
  const seconds = (performance.now() - start) / 1000
  const [machine, own] = [windows[0].end(), windows[1].end()]
  // Only Linux tells what processes that have ended took.
  const scope = own.boundary === 'process' && own.joules !== null ? 'processes' : 'machine'
  const energy = scope === 'processes' ? own : machine
  return { command, seconds, ...ending, scope, energy, machine, sources: machineMeter.sources() }
}
