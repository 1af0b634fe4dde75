import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BioError } from '@bio/errors'

/** A text to learn, its last tenth kept for testing. */
export interface TourText {
  readonly name: string
  readonly train: Uint8Array
  readonly test: Uint8Array
}

const megabyte = 2 ** 20

/** The file, or the TypeScript compiler's own declarations: real text that most TypeScript projects have. */
export function firstText(file: string | undefined): TourText {
  if (file !== undefined) return split(file, readText(file))
  const folder = join(dirname(packageFile('typescript', '--text FILE')), 'lib')
  const files = readdirSync(folder).filter((name) => /^lib\..*\.d\.ts$/.test(name))
  return split('lib.*.d.ts of TypeScript', gather(files.toSorted().map((name) => join(folder, name))))
}

/** The file, or the Markdown of the installed packages: the same alphabet, another language. */
export function secondText(file: string | undefined): TourText {
  if (file !== undefined) return split(file, readText(file))
  const store = dirname(dirname(packageFile('typescript', '--second FILE')))
  // pnpm keeps every package under node_modules/.pnpm, npm beside each other: climb to the outermost node_modules.
  const outermost = store.slice(0, store.indexOf('node_modules') + 'node_modules'.length)
  return split('Markdown of node_modules', gather(markdownUnder(outermost)))
}

function packageFile(name: string, instead: string): string {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    try {
      return createRequire(from).resolve(`${name}/package.json`)
    } catch {
      // Not installed there: try the next place.
    }
  }
  throw new BioError('ERR_BIO_IO', {
    operation: 'tour',
    expected: `the package ${name} to read text from`,
    received: 'none installed',
    hint: `Give a text of your own with ${instead}.`,
  })
}

/** Markdown files in the order of their paths, links not followed, so that the text is the same at every run. */
function markdownUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return markdownUnder(path)
      return entry.isFile() && /\.md$/i.test(entry.name) && !/changelog|license/i.test(entry.name)
        ? [path]
        : []
    })
}

/** Two megabytes taken evenly from all files: a piece of each rather than all of the first. */
function gather(files: readonly string[]): Uint8Array {
  const contents = files.map((file) => readFileSync(file))
  const total = contents.reduce((sum, content) => sum + content.length, 0)
  const share = Math.min(1, (2 * megabyte) / Math.max(1, total))
  return new Uint8Array(
    Buffer.concat(contents.map((content) => content.subarray(0, Math.ceil(content.length * share)))),
  )
}

function readText(file: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(file))
  } catch (cause) {
    throw new BioError('ERR_BIO_IO', {
      operation: 'tour',
      expected: `a readable file ${file}`,
      received: (cause as NodeJS.ErrnoException).code ?? String(cause),
      cause,
    })
  }
}

/** Every tenth stretch of 4 KiB is for testing: all parts of the text are in both halves. */
function split(name: string, text: Uint8Array): TourText {
  if (text.length < 200_000) {
    throw new BioError('ERR_BIO_VALUE', {
      operation: 'tour',
      expected: `at least 200,000 bytes of text in ${name}`,
      received: `${text.length}`,
      hint: 'Give a longer file.',
    })
  }
  const stretch = 4096
  const parts: { train: Uint8Array[]; test: Uint8Array[] } = { train: [], test: [] }
  for (let at = 0; at < text.length; at += stretch) {
    const part = text.subarray(at, at + stretch)
    parts[Math.floor(at / stretch) % 10 === 9 ? 'test' : 'train'].push(part)
  }
  return {
    name,
    train: new Uint8Array(Buffer.concat(parts.train)),
    test: new Uint8Array(Buffer.concat(parts.test)),
  }
}
