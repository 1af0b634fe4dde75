import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { appleSource, parsePower } from './apple-source.js'

const folder = mkdtempSync(join(tmpdir(), 'bio-powermetrics-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A tool that runs this code. */
function fakeTool(name: string, code: string): string[] {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, code)
  return [process.execPath, path]
}

const sample = `*** Sampled system activity (Tue Nov 24 10:00:00 2026 +0100) (503.21ms elapsed) ***

**** Processor usage ****
CPU Power: 4500 mW
GPU Power: 1500 mW
ANE Power: 0 mW
Combined Power (CPU + GPU + ANE): 6000 mW
`

test('a tool that goes on printing is integrated, an estimate since it is Apple’s own', async () => {
  const command = fakeTool(
    'steady',
    `setInterval(() => process.stdout.write(${JSON.stringify(sample)}), 100)`,
  )
  const opening = await appleSource({ command }).open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  const { account } = opening
  try {
    await vi.waitFor(() => expect(account.startSpan().read().joules).not.toBeNull(), 5000)
    const span = account.startSpan()
    await new Promise((resolve) => setTimeout(resolve, 700))
    const reading = span.read()
    expect(reading).toMatchObject({
      method: 'estimated',
      source: 'powermetrics',
      domains: ['cpu', 'gpu', 'ane'],
    })
    expect(reading.joules! / reading.seconds).toBeCloseTo(6, 1)
    expect(reading.reasons.join()).toContain('estimates of power by Apple')
  } finally {
    account.close!()
  }
})

test.each([
  ['powermetrics must be invoked as the superuser', 1],
  ['sudo: a password is required', 1],
])(
  'a tool that ends with “%s” is unusable, and the rule that would cure it is told',
  async (complaint, code) => {
    const command = ['/bin/sh', '-c', `echo '${complaint}' >&2; exit ${code}`]
    // on a busy machine the tool may outlive the patience of one opening
    await vi.waitFor(async () => {
      expect(await appleSource({ command }).open()).toMatchObject({
        usable: false,
        present: true,
        reasons: [`powermetrics ended (${code}) ${complaint}`],
        cure: expect.stringContaining('NOPASSWD: /usr/bin/powermetrics'),
      })
    }, 5000)
  },
)

test('a tool that is not there is unusable', async () => {
  const opening = await appleSource({ command: ['/no/such/powermetrics'] }).open()
  expect(opening).toMatchObject({ usable: false, reasons: [expect.stringContaining('ENOENT')] })
})

test('a tool that ends later makes readings unavailable, with the reason', async () => {
  const command = fakeTool(
    'brief',
    `process.stdout.write(${JSON.stringify(sample)}); setTimeout(() => process.exit(3), 300)`,
  )
  const opening = await appleSource({ command }).open()
  if (!opening.usable) throw new Error(opening.reasons.join())
  const { account } = opening
  await vi.waitFor(() => {
    const reading = account.startSpan().read()
    expect(reading.joules).toBeNull()
    expect(reading.reasons.join()).toContain('powermetrics ended (3)')
  }, 5000)
  account.close!()
})

test.skipIf(process.platform === 'darwin')(
  'elsewhere it is unusable without anything being run',
  async () => {
    expect(await appleSource().open()).toMatchObject({ usable: false, present: false })
  },
)

test.each<[string, unknown]>([
  ['CPU Power: 1234 mW', { name: 'CPU', watts: 1.234 }],
  ['ANE Power: 0 mW', { name: 'ANE', watts: 0 }],
  ['Combined Power (CPU + GPU + ANE): 6000 mW', undefined],
  ['E-Cluster Power: 12 mW', undefined],
  ['CPU Power: 12 W', undefined],
  ['', undefined],
])('“%s” is read as %o', (line, expected) => {
  expect(parsePower(line)).toEqual(expected)
})

test('an empty command is refused', () => {
  expect(() => appleSource({ command: [] })).toThrow(expect.objectContaining({ code: 'ERR_BIO_VALUE' }))
})
