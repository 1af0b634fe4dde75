#!/usr/bin/env node
import { isBioError } from '@bio/errors'
import { commands } from './commands/index.js'

const [name = 'help', ...args] = process.argv.slice(2)
const command = commands[name]

const controller = new AbortController()
process.once('SIGINT', () => controller.abort())
process.once('SIGTERM', () => controller.abort())

if (command === undefined) {
  const width = Math.max(...Object.keys(commands).map((key) => key.length))
  const list = Object.entries(commands).map(([key, { summary }]) => `  bio ${key.padEnd(width)}   ${summary}`)
  console.log(
    `Brain-inspired efficiency for machine learning.\n\n${list.join('\n')}\n\nbio COMMAND --help says more.`,
  )
  process.exitCode = ['help', '--help', '-h'].includes(name) ? 0 : 1
  if (process.exitCode === 1) console.error(`\nbio: there is no command ${name}.`)
} else {
  try {
    await command.run(args, controller.signal)
  } catch (error) {
    if (controller.signal.aborted) {
      console.error('bio: stopped.')
      process.exitCode = 130
    } else if (isBioError(error)) {
      console.error(`bio: ${error.message} (${error.code})`)
      process.exitCode = 1
    } else {
      throw error
    }
  }
}
