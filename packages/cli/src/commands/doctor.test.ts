import { expect, test, vi } from 'vitest'
import type { MachineFigures } from '../tour/report.js'
import { doctor } from './doctor.js'

async function said(args: readonly string[]): Promise<string> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  await doctor.run(args, new AbortController().signal)
  const text = log.mock.calls.flat().join('\n')
  log.mockRestore()
  return text
}

test('every source of energy is in use, not needed, or says why it is not here', async () => {
  const { energySources } = JSON.parse(await said(['--json'])) as MachineFigures
  expect(energySources.map(({ name }) => name)).toEqual(expect.arrayContaining(['rapl', 'nvml', 'cpu-time']))
  for (const { used, reasons } of energySources) expect(used || reasons.length > 0).toBe(true)
  const text = await said([])
  for (const { name, used } of energySources) {
    expect(text).toMatch(
      new RegExp(`energy +${name} \\(.*\\): ${used ? '.*in use' : '(not here|.*not needed)'}`),
    )
  }
})
