import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { run } from '../shell.mjs'
import { filesUnder, packages, root } from './workspace.mjs'

/** Runs TypeScript as a reader would who pasted it into a project that installed the package, and returns what it prints. */
function execute(code, folder) {
  const home = mkdtempSync(join(folder, '.example-'))
  try {
    const file = join(home, 'example.mjs')
    const { outputText } = ts.transpileModule(code, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    })
    writeFileSync(file, outputText)
    const { status, output } = run('node', ['--no-warnings', file], { cwd: home, quiet: true })
    expect(status, output).toBe(0)
    return output.trimEnd()
  } finally {
    rmSync(home, { recursive: true })
  }
}

const block = (markdown, language) => markdown.match(new RegExp('```' + language + '\\n([\\s\\S]*?)```'))?.[1]

/** The root README speaks for the whole house; its code runs where every package is at hand. */
const readmes = [
  { name: 'the repository', folder: join(root, 'packages/cli'), path: join(root, 'README.md') },
  ...packages.map(({ name, folder }) => ({ name, folder, path: join(folder, 'README.md') })),
]

test.each(readmes)('the README of $name prints what it shows', ({ folder, path }) => {
  const markdown = readFileSync(path, 'utf8')
  expect(execute(block(markdown, 'ts'), folder)).toBe(block(markdown, 'text').trimEnd())
})

test.each(readmes)(
  'the README of $name says how to install by line 12 and shows code by line 25',
  ({ path }) => {
    const lines = readFileSync(path, 'utf8').split('\n')
    expect(lines.findIndex((line) => /\b(npm (install|start)|pnpm add|npx)\b/.test(line)) + 1).toSatisfy(
      (line) => line > 0 && line <= 12,
    )
    expect(lines.findIndex((line) => line.startsWith('```ts')) + 1).toSatisfy(
      (line) => line > 0 && line <= 25,
    )
  },
)

const examples = packages.flatMap(({ folder }) =>
  filesUnder(join(folder, 'src'), (file) => file.endsWith('.ts') && !file.includes('.test')).flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/@example[^\n]*\n((?:\s*\*[^\n]*\n)*?)\s*\* ```\n/g)].map(
      ([, text], index) => ({
        where: `${relative(root, path)} ${index + 1}`,
        folder,
        code: text.replace(/^\s*\* ?/gm, '').replace(/^```ts\n/, ''),
      }),
    ),
  ),
)

test.each(examples)('the docstring example $where prints what it says', ({ code, folder }) => {
  const expected = [...code.matchAll(/\/\/ => (.*)$/gm)].map(([, line]) => line.trim())
  expect(expected.length, 'an example shows at least one result: console.log(x) // => text').toBeGreaterThan(
    0,
  )
  expect(execute(code, folder).split('\n')).toEqual(expected)
})
