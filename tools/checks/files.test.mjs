import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { filesUnder, packages, root } from './workspace.mjs'

const sources = ['packages', 'crates', 'tools', 'examples']
  .flatMap((folder) => filesUnder(join(root, folder), (file) => /\.(ts|mjs|rs|py)$/.test(file)))
  .map((path) => ({ file: relative(root, path), lines: readFileSync(path, 'utf8').split('\n').length - 1 }))

test('no source file is over 500 lines', () => {
  expect(sources.filter(({ lines }) => lines > 500)).toEqual([])
})

test('the median source file is under 130 lines', () => {
  const lengths = sources.map(({ lines }) => lines).toSorted((a, b) => a - b)
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(130)
})

test.each(packages)('$name holds what every package holds', ({ folder, manifest }) => {
  for (const file of [
    'README.md',
    'LICENSE',
    'package.json',
    'tsconfig.json',
    'tsup.config.ts',
    'src/index.ts',
  ]) {
    expect(existsSync(join(folder, file)), file).toBe(true)
  }
  expect(manifest).toMatchObject({
    license: 'MIT',
    type: 'module',
    sideEffects: false,
    publishConfig: { access: 'public' },
  })
  expect(Object.keys(manifest.scripts).filter((script) => /install|prepare/.test(script))).toEqual([])
})

test('no file names a package registry or a path of somebody’s machine', () => {
  const texts = ['packages', 'crates', 'tools', 'examples', '.changeset', '.ci'].flatMap((folder) =>
    filesUnder(join(root, folder), (file) => /\.(ts|mjs|rs|py|md|json|toml|yaml|html)$/.test(file)),
  )
  const wrong = /https?:\/\/(registry|index|static)[.]|\/home\/\w+|\/root\//
  expect(
    texts.filter((path) => !path.endsWith('files.test.mjs') && wrong.test(readFileSync(path, 'utf8'))),
  ).toEqual([])
})
