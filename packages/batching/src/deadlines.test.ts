import { expect, test, vi } from 'vitest'
import { Deadlines } from './deadlines.js'

test('each entry expires once, not before its time, whatever the order of arrival; who left does not', async () => {
  const expirations: number[] = []
  const now = performance.now()
  const entries = new Set([30, 5, 20, 5, 10, Infinity].map((ms) => ({ ms, deadlineAt: now + ms })))
  const deadlines = new Deadlines<{ readonly deadlineAt: number; readonly ms: number }>(
    () => entries,
    (entry) => {
      expect(performance.now()).toBeGreaterThanOrEqual(entry.deadlineAt)
      expirations.push(entry.ms)
      entries.delete(entry)
      deadlines.left(entry)
    },
  )
  for (const entry of entries) deadlines.added(entry)
  const gone = [...entries][4]!
  entries.delete(gone)
  deadlines.left(gone)
  await vi.waitFor(() => expect(expirations).toContain(30), { timeout: 30_000 })
  expect(expirations.toSorted((a, b) => a - b)).toEqual([5, 5, 20, 30])
})

test('requests that leave in time set one timer between them, which then keeps no process alive', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const set = vi.spyOn(globalThis, 'setTimeout')
  const deadlines = new Deadlines<{ readonly deadlineAt: number }>(
    () => [],
    () => {},
  )
  for (let request = 0; request < 5; request++) {
    const entry = { deadlineAt: performance.now() + 60_000 }
    deadlines.added(entry)
    expect(timers()).toBe(before + 1)
    deadlines.left(entry)
    expect(timers()).toBe(before)
  }
  expect(set).toHaveBeenCalledTimes(1)
  set.mockRestore()
  deadlines.close()
})
