// What a bench compares with lives in the bench's own folder and may be absent: then a line says so, and the run goes on.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

/** An npm package of the bench whose `import.meta.url` is `from`: `{ name, version, exports }`, or undefined after a printed line. */
export async function peer(name, from) {
  try {
    const manifest = new URL(`./node_modules/${name}/package.json`, from)
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
    const entry = pathToFileURL(createRequire(from).resolve(name))
    return { name, version, exports: await import(entry.href) }
  } catch (error) {
    console.log(`skipped: ${name} (${String(error.message).split('\n')[0]})`)
    return undefined
  }
}
