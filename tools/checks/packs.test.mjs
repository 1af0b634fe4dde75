import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../shell.mjs'
import { packages } from './workspace.mjs'

const home = mkdtempSync(join(tmpdir(), 'bio-packs-'))
const tarballs = {}

beforeAll(() => {
  for (const { name, folder, manifest } of packages) {
    const destination = join(home, 'tarballs', name)
    mkdirSync(destination, { recursive: true })
    const { status, output } = run('pnpm', ['pack', '--pack-destination', destination], {
      cwd: folder,
      quiet: true,
    })
    expect(status, output).toBe(0)
    tarballs[manifest.name] = join(destination, readdirSync(destination)[0])
  }
}, 120_000)

afterAll(() => rmSync(home, { recursive: true }))

test.each(packages)(
  '$name installs alone into an empty project from its tarball, and imports',
  ({ name, manifest }) => {
    const project = join(home, 'projects', name)
    mkdirSync(project, { recursive: true })
    // What is not on a registry yet comes from its tarball too; nothing else of the workspace is in reach.
    const overrides = Object.fromEntries(
      Object.entries(tarballs).map(([dependency, path]) => [dependency, `file:${path}`]),
    )
    const project_manifest = {
      name: 'empty',
      private: true,
      type: 'module',
      dependencies: { [manifest.name]: overrides[manifest.name] },
    }
    writeFileSync(join(project, 'package.json'), JSON.stringify({ ...project_manifest, pnpm: { overrides } }))
    const install = run('pnpm', ['install', '--prefer-offline', '--ignore-workspace', '--ignore-scripts'], {
      cwd: project,
      quiet: true,
    })
    expect(install.status, install.output).toBe(0)
    const script = `import(${JSON.stringify(manifest.name)}).then((m) => console.log(Object.keys(m).length > 0 || m[Symbol.toStringTag]))`
    const { status, output } = run('node', ['-e', script], { cwd: project, quiet: true })
    expect(status, output).toBe(0)
  },
  120_000,
)

test.each(packages)(
  '$name passes publint and attw',
  ({ manifest }) => {
    const tarball = tarballs[manifest.name]
    const lint = run('publint', ['run', tarball, '--strict'], { quiet: true })
    expect(lint.status, lint.output).toBe(0)
    const types = run('attw', [tarball, '--profile', 'esm-only'], { quiet: true })
    expect(types.status, types.output).toBe(0)
  },
  120_000,
)

test('a package that needs no other installs with npm as well', () => {
  const project = join(home, 'npm')
  mkdirSync(project)
  cpSync(tarballs['@bio/errors'], join(project, 'errors.tgz'))
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'empty', private: true, dependencies: { '@bio/errors': 'file:errors.tgz' } }),
  )
  const { status, output } = run(
    'npm',
    ['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund'],
    { cwd: project, quiet: true },
  )
  expect(status, output).toBe(0)
}, 120_000)
