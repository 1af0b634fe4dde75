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

test('requests that leave in time set one timer between them, which then keeps no process alive', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const set = vi.spyOn(globalThis, 'setTimeout')
  const deadlines = new Deadlines(() => {})
  for (let request = 0; request < 5; request++) {
    const entry = { deadlineAt: performance.now() + 60_000 }
    deadlines.add(entry)
    expect(timers()).toBe(before + 1)
    deadlines.delete(entry)
    expect(timers()).toBe(before)
  }
  expect(set).toHaveBeenCalledTimes(1)
  set.mockRestore()
  deadlines.close()
})
