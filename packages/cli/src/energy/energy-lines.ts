import { formatReading, toKilowattHours, type Reading } from '@bio/energy'
import { digits } from '../terminal/format.js'
import type { CommandEnergy } from './measure-command.js'

/** What `bio energy` says below the command's own output. */
export function energyLines(result: CommandEnergy, dollarsPerKilowattHour: number | undefined): string[] {
  const { command, seconds, scope, energy, machine, sources } = result
  const whose = {
    processes: `by ${command[0]} and the processes it started`,
    machine: 'by the whole machine meanwhile',
  }
  return [
    `energy    ${formatReading(energy)}`,
    `          used ${whose[scope]}, in ${digits(seconds)} s${inRange(energy, ' (', (joules) => joules / seconds, ' W on average)')}`,
    ...(dollarsPerKilowattHour === undefined
      ? []
      : [
          `cost      ${inRange(energy, '$', (joules) => toKilowattHours(joules) * dollarsPerKilowattHour, '') || 'unknown'}`,
        ]),
    ...(scope === 'processes' ? [`machine   ${formatReading(machine)}, ${whose.machine}`] : []),
    ...energy.reasons.map((reason) => `why       ${reason}`),
    ...sources.flatMap(({ name, usable, cure }) =>
      usable || cure === undefined ? [] : [`to open   ${name}: ${cure.replaceAll('\n', '\n          ')}`],
    ),
  ]
}

/** `before` 2.1 `after`, with the bounds where they differ; nothing for unknown energy. */
function inRange(
  reading: Reading,
  before: string,
  convert: (joules: number) => number,
  after: string,
): string {
  if (reading.joules === null) return ''
  const [value, low, high] = [reading.joules, reading.low, reading.high].map((joules) =>
    digits(convert(joules)),
  )
  return `${before}${value}${low === high ? '' : `, ${low} to ${high}`}${after}`
}
