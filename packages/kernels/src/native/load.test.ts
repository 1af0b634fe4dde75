import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadBinding } from './load.js'

const packageFolder = join(dirname(fileURLToPath(import.meta.url)), '../..')
const built = join(packageFolder, 'dist/index.js')
const present = ((): boolean => {
  try {
    loadBinding()
    return existsSync(built)
  } catch (error) {
    console.log(`skipped: loading the native kernels (${(error as Error).message})`)
    return false
  }
})()

/** Runs a program over the built package in a process of its own; what it printed, warnings included. */
function run(file: string, program: string, env: Record<string, string> = {}): string {
  const code = `import * as kernels from ${JSON.stringify(file)}\n${program}`
  return execFileSync(process.execPath, ['--input-type=module', '-e', `${code}`], {
    encoding: 'utf8',
    env: { ...process.env, BIO_KERNELS: '', BIO_ISA: '', BIO_THREADS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

const warnings = `process.on('warning', ({ code }) => console.log('warned', code))\n`

describe.skipIf(!existsSync(built))('the choice of kernels', () => {
  let home = ''
  let copy = ''
  beforeAll(() => {
    // The package without its binary, beside the one package that it needs.
    home = mkdtempSync(join(tmpdir(), 'bio-kernels-'))
    copy = join(home, 'kernels/dist/index.js')
    cpSync(join(packageFolder, 'dist'), dirname(copy), { recursive: true })
    cpSync(join(packageFolder, 'package.json'), join(home, 'kernels/package.json'))
    mkdirSync(join(home, 'node_modules/@bio/errors'), { recursive: true })
    cpSync(join(packageFolder, '../errors'), join(home, 'node_modules/@bio/errors'), { recursive: true, dereference: true })
  })
  afterAll(() => rmSync(home, { recursive: true, force: true }))

  test('without a binary the kernels are TypeScript, after one warning that says so', () => {
    const program = `${warnings}console.log(kernels.getKernels().backend, kernels.getKernels().isa)`
    expect(run(copy, program)).toBe('typescript scalar\nwarned BIO_KERNELS_FALLBACK\n')
  })

  test('BIO_KERNELS=typescript is silent', () => {
    const program = `${warnings}console.log(kernels.getKernels().backend)`
    expect(run(copy, program, { BIO_KERNELS: 'typescript' })).toBe('typescript\n')
  })

  test('BIO_KERNELS=native without a binary is an error that says what to install', () => {
    const program = `try { kernels.getKernels() } catch (error) { console.log(error.code, error.message.includes('@bio/kernels-')) }`
    expect(run(copy, program, { BIO_KERNELS: 'native' })).toBe('ERR_BIO_NATIVE true\n')
  })

  test.skipIf(!present)('BIO_ISA and BIO_THREADS hold the kernels back', () => {
    const program = `const { backend, isa, threads } = kernels.getKernels(); console.log(backend, isa, threads)`
    expect(run(built, program, { BIO_ISA: 'scalar', BIO_THREADS: '1' })).toBe('native scalar 1\n')
  })
})

test.skipIf(!present)('a panic in Rust is an error with a code, and the kernels work after it', () => {
  expect(() => loadBinding().panicForTest()).toThrow(expect.objectContaining({ code: 'ERR_BIO_INTERNAL' }) as Error)
  const out = new Float32Array(1)
  loadBinding().matmul(out, Float32Array.of(2), Float32Array.of(3), 1, 1, 1, false, false, false, false)
  expect(out[0]).toBe(6)
})

/** One worker thread that loads the addon, multiplies on all cores, packs, and leaves. */
function workerThatUsesIt(): Promise<number> {
  const program = `
    import(${JSON.stringify(built)}).then(({ getKernels }) => {
      const kernels = getKernels()
      const size = 96
      const [a, out] = [new Float32Array(size * size).fill(1), new Float32Array(size * size)]
      kernels.matmul(out, a, a, { m: size, n: size, k: size })
      kernels.pack(a, { dtype: 'int8', rows: size, columns: size })
      require('node:worker_threads').parentPort.postMessage(out[0])
    })`
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { eval: true, execArgv: [] })
    let answer = NaN
    worker.on('message', (value: number) => (answer = value)).on('error', reject)
    worker.on('exit', () => resolve(answer))
  })
}

test.skipIf(!present)('worker threads load, use and leave the kernels, one after the other and four at once', async () => {
  for (let i = 0; i < 5; i++) expect(await workerThatUsesIt()).toBe(96)
  expect(await Promise.all(Array.from({ length: 4 }, workerThatUsesIt))).toEqual([96, 96, 96, 96])
})
