// `npm run bench -- NAME …`: set up, install what the bench compares with into its own folder, run it. Without NAME: the list.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, setup } from './setup.mjs'
import { run, say, stop } from './shell.mjs'

const benches = readdirSync(join(root, 'bench'))
  .filter((name) => existsSync(join(root, 'bench', name, 'package.json')))
  .map((name) => ({ name, folder: join(root, 'bench', name) }))

/** Runs `install` unless this very `file` (a lockfile, a list of requirements) was installed before; true when all is there. */
function installOnce(file, stamp, install) {
  const hash = createHash('sha256').update(readFileSync(file)).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return true
  const { status, output } = install()
  if (status === 0) writeFileSync(stamp, hash)
  else console.error(output.trimEnd().split('\n').slice(-5).join('\n'))
  return status === 0
}

/** The npm peers of a bench. Without them it still runs, and says of each peer that it is skipped. */
function installNpmPeers(folder) {
  const lock = join(folder, 'package-lock.json')
  if (!existsSync(lock)) return
  const installed = installOnce(lock, join(folder, 'node_modules', '.bench-setup'), () => {
    say('installing the npm peers of the bench')
    return run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, quiet: true })
  })
  if (!installed) say('warning: the npm peers could not be installed; the bench skips what is missing')
}

/** The Python peers of a bench, in a virtual environment of its own: its interpreter, or undefined where they cannot be had. */
function installPythonPeers(folder) {
  const requirements = join(folder, 'requirements.txt')
  if (!existsSync(requirements)) return undefined
  const environment = join(folder, '.venv')
  const python = join(
    environment,
    ...(process.platform === 'win32' ? ['Scripts', 'python'] : ['bin', 'python']),
  )
  const installed = installOnce(requirements, join(environment, '.bench-setup'), () => {
    say('installing the Python peers of the bench')
    const made = run('python3', ['-m', 'venv', environment], { quiet: true })
    if (made.status !== 0) return made
    return run(python, ['-m', 'pip', 'install', '--quiet', '-r', requirements], { quiet: true })
  })
  if (!installed) say('skipped: the Python peers (they could not be installed)')
  return installed ? python : undefined
}

const [name, ...args] = process.argv.slice(2)
if (name === undefined) {
  console.log('npm run bench -- NAME [--json FILE] [--quick] …')
  for (const bench of benches) {
    const { description } = JSON.parse(readFileSync(join(bench.folder, 'package.json'), 'utf8'))
    console.log(`  ${bench.name.padEnd(12)}${description}`)
  }
  process.exit(0)
}
const bench = benches.find((candidate) => candidate.name === name)
if (!bench)
  stop(`no bench is called ${JSON.stringify(name)}: there is ${benches.map((b) => b.name).join(', ')}`)
setup({ release: true })
installNpmPeers(bench.folder)
const python = installPythonPeers(bench.folder)
const env = python === undefined ? {} : { BIO_BENCH_PYTHON: python }
process.exit(run('node', [join(bench.folder, 'main.mjs'), ...args], { env }).status)
