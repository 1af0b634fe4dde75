import { parseArgs } from 'node:util'

/**
 * What every bench understands: `--json FILE`, `--quick`, `--only NAME` (a part of the bench; `parts` are the names there are) or
 * `--only NAME:TEXT` (of that part what has the text in its name: `plays` says so). Anything else ends the run with a line.
 */
export function benchOptions({ parts = [], args = process.argv.slice(2) } = {}) {
  try {
    const { values } = parseArgs({
      args,
      options: { json: { type: 'string' }, quick: { type: 'boolean' }, only: { type: 'string' } },
    })
    const [only, text = ''] = values.only?.split(':') ?? []
    if (only !== undefined && !parts.includes(only))
      throw new Error(`--only takes one of: ${parts.join(', ') || 'nothing here'}`)
    const runs = (part) => only === undefined || only === part
    const plays = (name) => name.includes(text)
    return { json: values.json, quick: values.quick ?? false, runs, plays }
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
