import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { BioError } from '@bio/errors'
import type { Binding } from './binding.js'

/** Raised with every change of what the binding exports. */
const VERSION = 7

/** `linux-x64-gnu`, `darwin-arm64`, …: how binaries and their packages are named. */
export function platformName(): string {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform}-${arch}`
  return `${platform}-${arch}-${usesMusl() ? 'musl' : 'gnu'}`
}

function usesMusl(): boolean {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch {
    return false
  }
}

/** Loads the binary built in this checkout, or the package of this platform. Throws ERR_BIO_NATIVE with what to do. */
export function loadBinding(): Binding {
  const require = createRequire(import.meta.url)
  const name = platformName()
  // From src/native/ and from dist/ alike: the package's own folder.
  const own = ['../../native/', '../native/'].map((folder) => fileURLToPath(new URL(`${folder}bio-node.${name}.node`, import.meta.url)))
  const candidates = [...own.filter((path) => existsSync(path)), `@bio/kernels-${name}`]
  const failures: string[] = []
  for (const candidate of candidates) {
    try {
      const binding = require(candidate) as Binding
      // A copy: V8 keeps what a binary exports in a table, where each call would look its function up.
      if (binding.version() === VERSION) return { ...binding }
      failures.push(`${candidate} is of another version`)
    } catch (error) {
      failures.push((error as Error).message.split('\n')[0]!)
    }
  }
  throw new BioError('ERR_BIO_NATIVE', {
    operation: 'loadNativeKernels',
    expected: `a binary for ${name}`,
    received: failures.join('; '),
    hint: `Install @bio/kernels-${name}, or in a checkout with Rust run npm run setup.`,
  })
}
