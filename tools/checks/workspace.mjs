// The packages as the checks see them.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export const packages = readdirSync(join(root, 'packages'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => {
    const folder = join(root, 'packages', name)
    return { name, folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }
  })

/** Every file under a folder that the filter accepts, build outputs and dependencies left out. */
export function filesUnder(folder, accept) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      return ['node_modules', 'dist', 'target', 'native', '.turbo', '__fixtures__'].includes(entry.name)
        ? []
        : filesUnder(path, accept)
    }
    return accept(entry.name) ? [path] : []
  })
}
