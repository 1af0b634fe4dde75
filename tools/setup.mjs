// Sets up everything that `npm start` and `npm test` need, saying what it does; quick when nothing is left to do.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { environment, has, run, say, stop } from './shell.mjs'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'node_modules', '.bio-setup')

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return
  stop(
    `Node ${process.versions.node} is too old: install Node 20.19 or newer (24 is best), then run this again.`,
  )
}

/** Installs the registry packages of the lockfile, unless that very lockfile is installed already. */
function installPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  say(`installing the registry packages with ${packageManager}`)
  const args = ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only']
  const { status, output } = run('npx', args, { cwd: root, quiet: true })
  if (status !== 0) {
    console.error(output.split('\n').slice(-15).join('\n'))
    stop(
      'the registry packages could not be installed: check the network or the proxy settings of npm, then run this again.',
    )
  }
  writeFileSync(stamp, lock)
}

function withoutNative(why) {
  say(
    `warning: ${why}; the kernels run in plain TypeScript, much slower. Install Rust 1.89 or newer (rustup) for the native ones.`,
  )
  // Said once: what runs from here on need not say it again, in each of its threads.
  environment.BIO_KERNELS = 'typescript'
}

/** Builds the native kernels when there is a Rust toolchain; without one the TypeScript kernels do the work. */
function buildNative({ release }) {
  if (!has('cargo')) return withoutNative('no Rust toolchain found')
  const rustc = run('rustc', ['--version'], { cwd: root, quiet: true }).output.match(/rustc (\d+)\.(\d+)/)
  if (!rustc || Number(rustc[1]) < 1 || (Number(rustc[1]) === 1 && Number(rustc[2]) < 89))
    return withoutNative('the Rust toolchain is too old')
  if (!existsSync(join(root, 'target', release ? 'release' : 'dev-fast')))
    say('building the native kernels with cargo (a minute or two, once)')
  const { status, output } = run(
    'node',
    ['packages/kernels/tools/build-native.mjs', ...(release ? ['--release'] : [])],
    {
      cwd: root,
      quiet: true,
    },
  )
  if (status === 0) return
  console.error(output.split('\n').slice(-30).join('\n'))
  stop(
    'the native kernels did not build: see above; with BIO_KERNELS=typescript the TypeScript kernels do the work.',
  )
}

function buildPackages() {
  if (!existsSync(join(root, 'packages/cli/dist')))
    say('building the TypeScript packages (under a minute, once)')
  const { status, output } = run('turbo', ['run', 'build', '--output-logs=errors-only'], {
    cwd: root,
    quiet: true,
  })
  if (status === 0) return
  console.error(output.split('\n').slice(-40).join('\n'))
  stop('the TypeScript packages did not build: see above.')
}

/** `release`: the native kernels optimised once more, at twice the compile time. */
export function setup({ release = false } = {}) {
  checkNode()
  installPackages()
  if (process.env.BIO_KERNELS !== 'typescript') buildNative({ release })
  buildPackages()
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  setup()
  say('ready')
}
