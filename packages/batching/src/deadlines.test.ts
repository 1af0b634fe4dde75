import { expect, test, vi } from 'vitest'
import { Deadlines } from './deadlines.js'

test('each entry expires once, not before its time, whatever the order of arrival; who left does not', async () => {
  const expirations: number[] = []
  const deadlines = new Deadlines<{ readonly deadlineAt: number; readonly ms: number }>(
    ({ deadlineAt, ms }) => {
      expect(performance.now()).toBeGreaterThanOrEqual(deadlineAt)
      expirations.push(ms)
    },
  )
  const now = performance.now()
  const entries = [30, 5, 20, 5, 10, Infinity].map((ms) => ({ ms, deadlineAt: now + ms }))
  for (const entry of entries) deadlines.add(entry)
  deadlines.delete(entries[4]!)
  deadlines.delete(entries[4]!)
  await vi.waitFor(() => expect(expirations).toContain(30), { timeout: 30_000 })
  expect(expirations.toSorted((a, b) => a - b)).toEqual([5, 5, 20, 30])
})
