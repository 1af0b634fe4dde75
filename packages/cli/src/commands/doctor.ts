import { EnergyMeter } from '@bio/energy'
import { machineLines } from '../report/machine-lines.js'
import { machineStep } from '../tour/machine-step.js'
import { parse, type Command } from './command.js'

const usage = `bio doctor: what this machine has, and what would open what is closed

  --json            the same as JSON`

export const doctor: Command = {
  summary: 'what this machine has: cores, instructions, kernels, energy sources',
  async run(args) {
    const parsed = parse(args, { usage, flags: { json: { type: 'boolean' } } })
    if (parsed === undefined) return
    await using meter = await EnergyMeter.open()
    const machine = machineStep(meter, { bytes: 2 ** 28 })
    console.log(
      parsed.values.json === true ? JSON.stringify(machine, null, 2) : machineLines(machine).join('\n'),
    )
  },
}
