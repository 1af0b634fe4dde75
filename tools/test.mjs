// `npm test`: set up, then every check and every test, TypeScript and Rust. The last line counts vitest, cargo and the checks.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, setup } from './setup.mjs'
import { has, run, say } from './shell.mjs'

const slow = process.argv.includes('--slow')
const counts = { passed: 0, failed: 0 }
const failures = []

function check(name, program, args) {
  say(name)
  const { status, output } = run(program, args, { cwd: root, quiet: true })
  if (status === 0) return
  console.error(output)
  counts.failed += 1
  failures.push(name)
}

function vitest() {
  say(slow ? 'slow tests (vitest)' : 'tests and type tests (vitest)')
  const folder = mkdtempSync(join(tmpdir(), 'bio-test-'))
  const report = join(folder, 'vitest.json')
  const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { status } = run('vitest', slow ? args : [...args, '--typecheck'], {
    cwd: root,
    env: slow ? { BIO_SLOW: '1' } : {},
  })
  let failed = 0
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'))
    failed = Math.max(numFailedTests, testResults.filter((file) => file.status === 'failed').length)
    counts.passed += numPassedTests
  } catch {
    failed = 1
  }
  if (status !== 0) failed = Math.max(failed, 1)
  counts.failed += failed
  if (failed > 0) failures.push('vitest')
  rmSync(folder, { recursive: true })
}

function cargo() {
  say(slow ? 'slow tests (cargo)' : 'tests (cargo)')
  const args = slow ? ['test', '--workspace', '--', '--ignored'] : ['test', '--workspace']
  const { status, output } = run('cargo', args, { cwd: root, quiet: true })
  const results = [...output.matchAll(/^test result: .* (\d+) passed; (\d+) failed;/gm)]
  const failed = results.reduce((sum, [, , count]) => sum + Number(count), 0)
  counts.passed += results.reduce((sum, [, count]) => sum + Number(count), 0)
  counts.failed += status === 0 ? failed : Math.max(failed, 1)
  console.error(status === 0 ? output.match(/^test result.*$/gm)?.join('\n') : output)
  if (status !== 0) failures.push('cargo test')
}

setup()
const rust = has('cargo')
if (!slow) {
  check('format (oxfmt)', 'oxfmt', ['--check', 'packages', 'tools', 'examples', 'bench'])
  check('lint (oxlint)', 'oxlint', ['--deny-warnings', 'packages', 'tools', 'examples', 'bench'])
  check('types (tsc)', 'tsc', ['--noEmit', '-p', 'tsconfig.json'])
  if (rust) check('format (rustfmt)', 'cargo', ['fmt', '--all', '--check'])
  if (rust)
    check('lint (clippy)', 'cargo', [
      'clippy',
      '--workspace',
      '--all-targets',
      '--quiet',
      '--',
      '-D',
      'warnings',
    ])
}
vitest()
if (rust) cargo()
else say('no Rust toolchain: the Rust tests are skipped')
if (failures.length > 0) say(`failed: ${failures.join(', ')}`)
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exit(counts.failed === 0 ? 0 : 1)
