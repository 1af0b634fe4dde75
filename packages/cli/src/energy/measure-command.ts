import {
  cpuEstimateSource,
  EnergyMeter,
  type EnergySource,
  type Reading,
  type SourceStatus,
} from '@bio/energy'
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
  /** Asked for the machine's energy; by default all that the meter knows. */
  readonly sources?: readonly EnergySource[]
}

/** Runs a command, of Node or not, between the two ends of a window. Throws what `runCommand` rejects with. */
export async function measureCommand(
  command: readonly string[],
  { signals, sources }: MeasureCommandOptions = {},
): Promise<CommandEnergy> {
  await using machineMeter = await EnergyMeter.open(sources === undefined ? {} : { sources })
  await using processMeter = await EnergyMeter.open({ sources: [cpuEstimateSource({ scope: 'children' })] })
  const windows = { machine: machineMeter.begin('machine'), processes: processMeter.begin('processes') }
  const start = performance.now()
  const ending = await runCommand(command, signals === undefined ? {} : { signals })
  const seconds = (performance.now() - start) / 1000
  const [machine, processes] = [windows.machine.end(), windows.processes.end()]
  const onlyEstimate = machine.joules === null || machine.source === 'cpu-time'
  const scope = onlyEstimate && processes.joules !== null ? 'processes' : 'machine'
  const energy =
    scope === 'machine'
      ? machine
      : { ...processes, reasons: [...new Set([...missing(machineMeter), ...processes.reasons])] }
  return { command, seconds, ...ending, scope, energy, machine, sources: machineMeter.sources() }
}

/** Why no better source than the estimate is there. */
function missing(meter: EnergyMeter): string[] {
  return meter
    .sources()
    .filter(({ usable, component }) => !usable && component === 'cpu')
    .map(({ name, reasons }) => `no ${name}: ${reasons.join('; ')}`)
}
