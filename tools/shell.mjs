// What the tools need of a shell: say a line, stop with a line, run a program, ask whether one exists.
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The environment of every child: the workspace's own programs first on the path, no telemetry. */
export const environment = {
  ...process.env,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
  TURBO_TELEMETRY_DISABLED: '1',
}

export function say(line) {
  console.error(`bio: ${line}`)
}

export function stop(line) {
  say(line)
  process.exit(1)
}

/** Runs a program to its end. `quiet` keeps its output (stdout and stderr together) for the caller to show on failure. */
export function run(program, args, { cwd = root, quiet = false, env = {} } = {}) {
  const child = spawnSync(program, args, {
    cwd,
    env: { ...environment, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  return {
    status: child.status ?? 1,
    output: `${child.stdout ?? ''}${child.stderr ?? ''}${child.error?.message ?? ''}`,
  }
}

export function has(program) {
  return run(program, ['--version'], { quiet: true }).status === 0
}
