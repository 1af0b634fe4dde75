import { parseArgs } from 'node:util'

/**
 * What every bench understands: `--json FILE`, `--quick`, `--only NAME` (a part of the bench; `parts` are the names there are).
 * Anything else ends the run with a line.
 */
export function benchOptions({ parts = [], args = process.argv.slice(2) } = {}) {
  try {
    const { values } = parseArgs({
      args,
      options: { json: { type: 'string' }, quick: { type: 'boolean' }, only: { type: 'string' } },
    })
    if (values.only !== undefined && !parts.includes(values.only))
      throw new Error(`--only takes one of: ${parts.join(', ') || 'nothing here'}`)
    const runs = (part) => values.only === undefined || values.only === part
    return { json: values.json, quick: values.quick ?? false, runs }
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
