import { writeFileSync } from 'node:fs'
import { BioError, isBioError } from '@bio/errors'
import { energyLines } from '../energy/energy-lines.js'
import { energyPage } from '../energy/energy-page.js'
import { measureCommand } from '../energy/measure-command.js'
import { parse, type Command } from './command.js'

const usage = `bio energy [OPTIONS] -- COMMAND…: what a command uses, of Node or not

  --json FILE              the same as JSON
  --html FILE              the same as a page, with power over time
  --dollars-per-kwh N      its cost in electricity too

Measured where the hardware counts, of the whole machine then; estimated with a band else, of the command and the processes it
started. Signals are forwarded, and the exit code is the command's.`

const flags = {
  json: { type: 'string' },
  html: { type: 'string' },
  'dollars-per-kwh': { type: 'string' },
} as const

export const energy: Command = {
  summary: 'what any command uses: joules with a method and bounds',
  async run(args) {
    const split = args.indexOf('--')
    const [own, command] = split < 0 ? [args, []] : [args.slice(0, split), args.slice(split + 1)]
    const parsed = parse(own, { usage, flags })
    if (parsed === undefined) return
    const { json, html, 'dollars-per-kwh': price } = parsed.values
    if (command.length === 0 || parsed.positionals.length > 0) {
      throw refused('a command after --, such as bio energy -- node train.js', args.join(' ') || 'nothing')
    }
    const dollarsPerKilowattHour = price === undefined ? undefined : Number(price)
    if (
      dollarsPerKilowattHour !== undefined &&
      !(dollarsPerKilowattHour >= 0 && dollarsPerKilowattHour < Infinity)
    ) {
      throw refused('--dollars-per-kwh of at least 0', price!)
    }
    // A command of hours should not find out at its end that nobody can write down what it used.
    for (const file of [json, html]) if (file !== undefined) write(file, '')
    try {
      const result = await measureCommand(command)
      // On the error output: the command's own output may be read by another program.
      console.error(`\n${energyLines(result, dollarsPerKilowattHour).join('\n')}`)
      if (json !== undefined) write(json, `${JSON.stringify(result, null, 2)}\n`)
      if (html !== undefined) write(html, energyPage(result))
      process.exitCode = result.exitCode
    } catch (error) {
      if (!isBioError(error, 'ERR_BIO_COMMAND')) throw error
      // As shells do.
      console.error(`bio: ${error.message} (${error.code})`)
      process.exitCode = (error.cause as NodeJS.ErrnoException).code === 'ENOENT' ? 127 : 126
    }
  },
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (cause) {
    throw new BioError('ERR_BIO_IO', {
      operation: 'bio energy',
      expected: 'a file that can be written',
      received: `${file} (${(cause as NodeJS.ErrnoException).code})`,
      cause,
    })
  }
}

function refused(expected: string, received: string): BioError {
  return new BioError('ERR_BIO_ARGUMENT', {
    operation: 'bio energy',
    expected,
    received,
    hint: 'Add --help to see more.',
  })
}
