import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { native } from '../testing/native-tiers.js'

const built = fileURLToPath(new URL('../../dist/index.js', import.meta.url))
const script = fileURLToPath(new URL('__fixtures__/worker-threads.mjs', import.meta.url))
const present = native !== undefined && existsSync(built)
if (!present) console.log('skipped: worker threads (the native kernels or the built package are missing)')

test.skipIf(!present)('1,000 worker threads load, use and leave the kernels, 500 more are stopped on the way, and the memory held grows by less than 16 MiB after the first 200', () => {
  // One allocator arena: glibc gives each new thread its own, and what these keep in reserve is not ours.
  const child = spawnSync(process.execPath, ['--expose-gc', script, built, '1500'], {
    encoding: 'utf8',
    env: { ...process.env, BIO_KERNELS: 'native', MALLOC_ARENA_MAX: '1' },
  })
  expect(child.signal, child.stderr).toBeNull()
  expect(child.status, child.stderr).toBe(0)
  const resident = (JSON.parse(child.stdout) as number[]).map((bytes) => bytes / 2 ** 20)
  console.log(`MiB after each hundred workers: ${resident.map((size) => size.toFixed(0)).join(', ')}`)
  expect(resident).toHaveLength(15)
  expect(Math.max(...resident.slice(2)) - resident[1]!).toBeLessThan(16)
})
