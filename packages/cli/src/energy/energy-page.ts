import { cpus, hostname } from 'node:os'
import { basename } from 'node:path'
import { createRunRecord, energyReport } from '@bio/energy'
import type { CommandEnergy } from './measure-command.js'

/** The page of `@bio/energy` about one command. What nobody told us, such as where the machine stands, is named unknown. */
export function energyPage({ command, startedAt, endedAt, scope, energy, power }: CommandEnergy): string {
  const name = basename(command[0]!)
  const processors = cpus()
  const run = createRunRecord({
    model: { name, version: '(version unknown)' },
    publisher: hostname(),
    task: { family: 'command', description: command.join(' ').slice(0, 200) },
    hardware: [
      {
        kind: 'cpu',
        name: `${processors[0]?.model.trim() || 'unknown'}, logical CPUs`,
        count: Math.max(1, processors.length),
      },
    ],
    software: [{ name: 'node', version: process.versions.node }],
    location: { country: 'unknown' },
    startedAt,
    endedAt,
    phases: [{ name, stage: 'other', energy }],
  })
  // The pieces are the machine's; beside the energy of some processes they would seem to be theirs.
  return energyReport({ run, power: scope === 'machine' ? power : [energy] })
}
