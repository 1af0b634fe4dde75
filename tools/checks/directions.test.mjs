import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { filesUnder, packages, root } from './workspace.mjs'

/** Imports go rightwards only, and the six feature packages never import one another. */
const allowed = {
  errors: [],
  kernels: ['errors'],
  tensor: ['errors', 'kernels'],
  precision: ['errors', 'kernels', 'tensor'],
  'sparse-moe': ['errors', 'kernels', 'tensor'],
  continual: ['errors', 'kernels', 'tensor'],
  'kv-cache': ['errors', 'kernels'],
  batching: ['errors'],
  energy: ['errors'],
  models: ['errors', 'kernels', 'tensor', 'precision', 'sparse-moe', 'continual', 'kv-cache'],
  serve: [
    'errors',
    'kernels',
    'tensor',
    'precision',
    'sparse-moe',
    'kv-cache',
    'batching',
    'energy',
    'models',
  ],
  cli: [
    'errors',
    'kernels',
    'tensor',
    'precision',
    'sparse-moe',
    'continual',
    'kv-cache',
    'batching',
    'energy',
    'models',
    'serve',
  ],
}

test('every package has its place in the order', () => {
  expect(packages.map(({ name }) => name).toSorted()).toEqual(Object.keys(allowed).toSorted())
})

for (const { name, folder, manifest } of packages) {
  const sources = filesUnder(
    join(folder, 'src'),
    (file) => file.endsWith('.ts') && !/\.(test|test-d)\.ts$/.test(file),
  )
  const imports = sources.flatMap((path) =>
    [
      ...readFileSync(path, 'utf8').matchAll(
        /^(?!\s*(?:\*|\/\/)).*(?:from|import)\s*\(?\s*'@bio\/([\w-]+)([^']*)'/gm,
      ),
    ].map(([, target, deep]) => ({
      file: relative(root, path),
      target,
      deep,
    })),
  )

  test(`${name} imports only what lies left of it`, () => {
    // energy asks for the native sampler only if somebody installed it: an optional peer, imported when first needed.
    const optional = Object.keys(manifest.peerDependenciesMeta ?? {}).map((peer) => peer.replace('@bio/', ''))
    const legal = [...allowed[name], ...optional, name]
    expect(imports.filter(({ target }) => !legal.includes(target))).toEqual([])
  })

  test(`${name} declares what it imports, and nothing else of ours`, () => {
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter(
      (dependency) => dependency.startsWith('@bio/'),
    )
    const used = [...new Set(imports.map(({ target }) => `@bio/${target}`))].filter(
      (target) => target !== manifest.name,
    )
    expect(declared.toSorted()).toEqual(used.toSorted())
  })
}
